import Concurrency
import Foundation
import HostResources
import TestSupport
import Testing

@testable import Operations
@testable import TaskAPI
@testable import Tasks

extension Integration {
    /// What workers tell of their hosts, and what they do when memory is nearly used up.
    struct Resources {
        /// Asked by every conversation; says how many are under way at once.
        private func stub() throws -> StubServer {
            try StubServer { request in
                .after(
                    .milliseconds(100),
                    request.isChat ? .chat(questions: 0, emotion: "happy") : .memories(0)
                )
            }
        }

        /// Fault: a worker with a fixed number of threads goes on with all of them until the kernel
        /// ends it; or takes none, and never frees what it holds; or says nothing of it.
        @Test func aWorkerThatIsShortOfMemoryTakesLessAndSaysSo() throws {
            let root = try FakeRoot.container(using: 95)
            let stub = try stub()
            let port = RawConnection.freePort()
            let scene = try Scene(
                settings: Scene.services(
                    stub,
                    [
                        "MESSAGE_CONCURRENCY_PER_WORKER": "8", "BATCH_MAX": "1",
                        "AMITY_HOST_ROOT": root.path, "HTTP_PORT": "\(port)",
                    ]
                )
            )
            func metric(_ line: String) throws -> Bool {
                try RawAnswer.get("/metrics", port: port).body.contains("\n\(line)\n")
            }
            try scene.addConversations(80)
            let worker = try scene.startWorker()
            let statistics = scene.statistics
            try eventually("one thread is left") {
                let use = try statistics.workers().first?.resources
                return use?.shortOf == ["memory"] && use?.threadsShare == 1.0 / 8
            }
            let begin = try #require(worker.events("worker.short-of-memory").first)
            #expect((begin["error"] as? String)?.hasPrefix("95 % of its 1 MB are used: ") == true)
            #expect((begin["remedy"] as? String)?.contains("PREFETCH_COUNT") == true)
            try scene.publish(ids: (0..<20).map { "c\($0)" })
            try eventually("it goes on") { try scene.count("status = 'PROCESSED'") == 20 }
            // Each asks two services side by side.
            #expect(stub.mostUnderWay <= 2)

            #expect(try statistics.workers().first?.state == .ready)
            let status = try scene.amity(["status"]).output
            #expect(status.contains("host memory short (90%)"))
            #expect(status.contains("raise the limit"))
            #expect(try scene.findings(["AMITY_HOST_ROOT": ""]).contains("warning workers"))
            #expect(try metric("amity_short_of{resource=\"memory\"} 1"))
            #expect(try metric("amity_threads_share_ratio 0.125"))

            try root.use(percent: 50)
            try eventually("it has enough", within: .seconds(60)) {
                !worker.events("worker.enough-memory").isEmpty
            }
            #expect(worker.events("worker.short-of-memory").count >= 1)
            try scene.publish(ids: (20..<80).map { "c\($0)" })
            try eventually("all is done") { try scene.count("status = 'PROCESSED'") == 80 }
            #expect((9...16).contains(stub.mostUnderWay), "all eight threads work again")
            try eventually("its row says so") {
                let row = try statistics.workers().first
                return row?.resources?.threadsShare == 1 && row?.problems == []
            }
            #expect(try metric("amity_short_of{resource=\"memory\"} 0"))
            #expect(try scene.amity(["status"]).output.contains("short") == false)
        }

        /// Fault: what is in the row is not what the process uses.
        @Test func theRowSaysWhatTheWorkerUses() throws {
            let scene = try Scene()
            let worker = try scene.startWorker()
            let statistics = scene.statistics
            try eventually("it knows rates, too") {
                try statistics.workers().first?.resources?.network != nil
            }
            let row = try #require(try statistics.workers().first)
            let use = try #require(row.resources)
            #expect(use.shortOf.filter { !$0.hasPrefix("disk") } == [] && use.threadsShare == 1)
            #expect(use.memory?.residentBytes == row.residentBytes)
            #expect(row.residentBytes > 5 << 20)
            let open = try FileManager.default.contentsOfDirectory(
                atPath: "/proc/\(worker.processID)/fd"
            )
            #expect(abs(try #require(use.descriptors?.open) - open.count) < 20)
            #expect(try #require(use.cpu?.used) < 64 && use.disks.first?.folder == "working")
        }

        /// Fault: an older version's row, or that of one whose host tells nothing, spoils the list.
        @Test func aRowWithoutResourcesIsReadAllTheSame() throws {
            let scene = try Scene()
            let worker = try scene.startWorker()
            try eventually("it is there") { try scene.statistics.workers().count == 1 }
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
            for change in ["- 'resources'", #"|| '{"resources": {"cpu": 7}}'"#] {
                try scene.sql("UPDATE amity_workers SET settings = settings \(change)")
                let row = try #require(try scene.statistics.workers().first)
                #expect(row.resources == nil && row.settings.threads == 10)
            }
        }

        /// Fault: conversations heed a shortage, and tasks begin as ever.
        @Test func tasksHeedItToo() throws {
            let root = try FakeRoot.container(using: 95)
            let scene = try TaskWorkerScene()
            scene.resources = ResourceMonitor(
                [],
                marks: MemoryMarks(),
                threads: 8,
                health: scene.health,
                root: root.path,
                logger: quiet
            )
            let running = Locked((now: 0, most: 0))
            let handler = TestHandler { _, _ in
                running.withLock { running in
                    running.now += 1
                    running.most = max(running.most, running.now)
                }
                Thread.sleep(forTimeInterval: 0.1)
                running.withLock { $0.now -= 1 }
                return .completed(result: nil)
            }
            try scene.start(threads: 8, handlers: ["test": handler])
            let begin = ContinuousClock.now
            scene.resources.look(at: begin)
            var tasks = try scene.submit(20)
            try eventually("all are done") { try tasks.allSatisfy { try isCompleted($0, scene) } }
            #expect(running.withLock(\.most) == 2, "a quarter of eight")
            try eventually("the worker's lease says so") {
                try scene.store.workers().contains {
                    $0.facts?.contains(#""short_of": ["memory"]"#) == true
                }
            }
            try root.use(percent: 50)
            for second in 1...20 { scene.resources.look(at: begin + .seconds(second)) }
            tasks = try scene.submit(40)
            try eventually("all are done") { try tasks.allSatisfy { try isCompleted($0, scene) } }
            #expect(running.withLock(\.most) == 8)
        }

        private func isCompleted(_ id: TaskID, _ scene: TaskWorkerScene) throws -> Bool {
            try scene.tasks.state(id) == .completed
        }
    }
}
