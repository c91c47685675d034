import AMQP
import Foundation
import Messaging
import Postgres
import TestSupport
import Testing

extension Integration {
    /// Each test seeds one mistake on real servers, and expects that finding and no other.
    struct DoctorTests {
        /// The plugin's user has what Configuration.md gives it.
        @Test func aHealthySetUpHasNoFinding() throws {
            let plugin = try ManagementPlugin()
            let scene = try Scene.complete()
            try Servers.rabbitmqctl("add_user", scene.name, "password")
            defer {
                do {
                    try Servers.rabbitmqctl("delete_user", scene.name)
                } catch { Issue.record(error, "a user is left over") }
            }
            try Servers.rabbitmqctl("set_user_tags", scene.name, "monitoring")
            try Servers.rabbitmqctl("set_permissions", scene.name, "^$", "^$", "^$")
            let url = plugin.url.replacing(/\/\/.*@/, with: "//\(scene.name):password@")
            let worker = try scene.startWorker()
            try worker.waitUntilConsuming()
            let extra = ["RABBITMQ_MANAGEMENT_URL": url]
            // The plugin gathers every few seconds.
            try eventually("nothing is found") {
                try scene.findings(extra, leavingOut: []).isEmpty
            }
            let shown = try scene.amity(["doctor", "--all"], extra)
            #expect(
                shown.output.contains("ok       rival-writer: no other program was seen to write")
            )
            #expect(worker.events("consumer.connection-lost").isEmpty)
        }

        /// Fault: the doctor takes or leaves a message, or makes what it should only look for.
        @Test func nothingIsChanged() throws {
            let scene = try Scene()
            #expect(try scene.findings() == ["error topology", "warning topology"])
            #expect(try scene.queue.unsettled() == nil)
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            try scene.publish(ids: "c1")
            #expect(try scene.findings() == ["error consumers"])
            #expect(try scene.queue.ready() == 1)
            #expect(try !scene.queue.isFirstRedelivered())
        }

        @Test func settingsAreNamedAllAtOnce() throws {
            let scene = try Scene.complete()
            let found = try scene.findings(
                ["BATCH_MAX": "0", "LOG_LEVEL": "loud"],
                status: 78
            )
            #expect(found == ["error settings", "error settings"])
        }

        // MARK: Broker

        @Test func anAddressThatIsAwayIsNamed() throws {
            let scene = try Scene.complete()
            let url = try #require(Servers.environment["RABBITMQ_URL"])
            let dead = url.replacing(/:\d+\//, with: ":1/")
            let some = try scene.findings(["RABBITMQ_URL": "\(dead),\(url)"])
            #expect(some == ["warning broker"])
            #expect(try scene.findings(["RABBITMQ_URL": dead]) == ["error broker"])
            let other = url.replacing(/amity:\w+@/, with: "amity:wrong@")
            #expect(try scene.findings(["RABBITMQ_URL": other]) == ["error broker"])
        }

        @Test(arguments: [
            ("^$", "^{queue}$", "error broker-permissions"),
            ("^amq\\.default$", "^$", "error broker-permissions"),
            ("^(amq\\.default|{queue}\\..*)$", "^{queue}$", "note dead-letter-wiring"),
        ])
        func aPermissionThatLacksIsNamed(write: String, read: String, found: String) throws {
            let scene = try Scene.complete()
            try Servers.rabbitmqctl("add_user", scene.name, "password")
            try Servers.rabbitmqctl(
                "set_permissions",
                scene.name,
                "^$",
                write.replacing("{queue}", with: scene.name),
                read.replacing("{queue}", with: scene.name)
            )
            let address = "127.0.0.1:\(try Servers.port("RABBITMQ_URL"))/%2F"
            let seen = try scene.findings([
                "RABBITMQ_URL": "amqp://\(scene.name):password@\(address)"
            ]
            )
            try Servers.rabbitmqctl("delete_user", scene.name)
            // Who may not declare cannot compare either.
            #expect(Set(seen) == [found, "note dead-letter-wiring"])
        }

        @Test func anExchangeThatLeadsNowhereIsNamed() throws {
            let plugin = try ManagementPlugin()
            let scene = try Scene.complete()
            let found = try scene.findings([
                "RABBITMQ_MANAGEMENT_URL": plugin.url, "RABBITMQ_ROUTING_KEY": "other",
            ]
            )
            #expect(found == ["warning topology"])
        }

        /// The first is what the Python publisher declares.
        @Test func aQueueThatThrowsAwayIsNamed() throws {
            let plugin = try ManagementPlugin()
            let management = ["RABBITMQ_MANAGEMENT_URL": plugin.url]
            for arguments in [
                [("x-message-ttl", 86_400_000), ("x-max-length", 100_000)],
                [("x-expires", 9_000_000)],
            ] {
                let scene = try Scene()
                try scene.queue.declare(arguments.map { ($0, .integer(Int64($1))) })
                try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
                #expect(try scene.findings(management) == ["warning queue-limits"])
                #expect(try scene.findings() == ["warning queue-limits"])
            }
            let scene = try Scene.complete()
            try Servers.rabbitmqctl(
                "set_policy",
                scene.name,
                "^\(scene.name)$",
                #"{"max-length": 5}"#
            )
            try eventually("the policy shows") {
                try scene.findings(management) == ["warning queue-limits"]
            }
            try Servers.rabbitmqctl("clear_policy", scene.name)
        }

        @Test func aDelayQueueThatGivesNothingBackIsNamed() throws {
            let plugin = try ManagementPlugin()
            let scene = try Scene()
            let delay = TestQueue(
                name: "\(scene.name).retry.1",
                endpoint: scene.settings.endpoint
            )
            try delay.declare([("x-message-ttl", .integer(1000))])
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            for extra in [[:], ["RABBITMQ_MANAGEMENT_URL": plugin.url]] {
                #expect(try scene.findings(extra) == ["error dead-letter-wiring"])
            }
        }

        @Test func aQuorumQueueThatGivesUpIsNamed() throws {
            let plugin = try ManagementPlugin()
            let management = ["RABBITMQ_MANAGEMENT_URL": plugin.url]
            let type: [(String, HeaderValue)] = [("x-queue-type", .string("quorum"))]
            for (arguments, found) in [
                // None at all is 20 to RabbitMQ 4.
                (
                    type + [("x-delivery-limit", .integer(Topology.deliveryLimit))],
                    ["note queue-kind"]
                ),
                (
                    type + [("x-delivery-limit", .integer(3))],
                    ["warning delivery-limit", "note queue-kind"]
                ),
            ] {
                let scene = try Scene(settings: ["RABBITMQ_QUEUE_TYPE": "classic"])
                try scene.queue.declare(arguments)
                try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
                try eventually("the plugin knows its type") {
                    try scene.findings(management) == found
                }
                #expect(try scene.findings() == ["note queue-kind"])
            }
        }

        /// Fault: a stream in the place of the main queue; "another consumer may hold it", says the
        /// worker.
        @Test func aStreamIsNamed() throws {
            let scene = try Scene()
            try scene.queue.declare([("x-queue-type", .string("stream"))])
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            let found = try scene.findings()
            #expect(found.contains("error queue-kind"), "\(found)")
        }

        @Test func aQueueThatWaitsForLessIsNamed() throws {
            let plugin = try ManagementPlugin()
            let scene = try Scene()
            try scene.queue.declare([("x-consumer-timeout", .integer(60_000))])
            try scene.settings.topology.ensure(at: scene.settings.endpoint, logger: quiet)
            let management = ["RABBITMQ_MANAGEMENT_URL": plugin.url]
            #expect(try scene.findings(management) == ["warning consumer-timeout"])
            let longer = management.merging(["TASK_TIMEOUT_SECONDS": "90"]) { $1 }
            #expect(try scene.findings(longer) == ["error consumer-timeout"])
            let agreed = management.merging(["CONSUMER_TIMEOUT_SECONDS": "60"]) { $1 }
            #expect(try scene.findings(agreed) == [])
        }

        @Test func deadLettersAndIdleQueuesAreNamed() throws {
            let scene = try Scene.complete()
            try scene.bury(Array("{}".utf8), .init())
            let found = try scene.findings(leavingOut: ["note management"])
            #expect(found == ["warning dead-letters", "note consumers"])
        }

        /// Fault: an operator has paused the only worker, and every tool says that it is well, or
        /// away.
        @Test func aPausedWorkerIsNamedWithTheWayBack() throws {
            let scene = try Scene.complete()
            let worker = try scene.startWorker()
            try worker.waitUntilConsuming()
            worker.signal(SIGUSR1)
            try eventually("the doctor says so") { try scene.findings() == ["warning workers"] }
            try scene.publish(ids: "c1")
            #expect(Set(try scene.findings()) == ["error workers", "error consumers"])
            let texts = try scene.report([:]).findings.map(\.text)
            #expect(texts.contains { $0.contains("kill -USR2") })
            worker.signal(SIGUSR2)
            try eventually("all is well again") { try !scene.findings().contains("error workers") }
        }

        @Test func aPluginThatCannotBeAskedIsNamed() throws {
            let plugin = try ManagementPlugin()
            let scene = try Scene.complete()
            let wrong = plugin.url.replacing(/amity:\w+@/, with: "amity:wrong@")
            for url in [wrong, "http://127.0.0.1:1"] {
                let found = try scene.findings(["RABBITMQ_MANAGEMENT_URL": url])
                #expect(found == ["warning management"])
            }
            #expect(try scene.findings(leavingOut: ["note consumers"]) == ["note management"])
        }

        @Test func aBrokerThatIsFullIsNamed() throws {
            let plugin = try ManagementPlugin()
            let scene = try Scene.complete()
            try Servers.rabbitmqctl("set_vm_memory_high_watermark", "0.000001")
            defer {
                do {
                    try Servers.rabbitmqctl("set_vm_memory_high_watermark", "0.4")
                } catch { Issue.record(error, "the broker stays blocked") }
            }
            // With the plugin's word, and by what AMQP tells who publishes.
            for extra in [["RABBITMQ_MANAGEMENT_URL": plugin.url], [:]] {
                var found: [String] = []
                try eventually("the alarm shows: \(found)") {
                    found = try scene.findings(extra)
                    return found == ["error broker-alarm"]
                }
            }
        }

        /// Fault: a policy over all queues deletes the dead letters, and the delay queues with what
        /// waits there.
        @Test func aPolicyThatDeletesHelperQueuesIsNamed() throws {
            let plugin = try ManagementPlugin()
            let scene = try Scene.complete()
            try Servers.rabbitmqctl(
                "set_policy",
                "--apply-to",
                "queues",
                scene.name,
                "^\(scene.name)",
                #"{"expires": 9000000}"#
            )
            try eventually("the policy shows") {
                try scene.findings(["RABBITMQ_MANAGEMENT_URL": plugin.url]) == [
                    "error queue-limits", "error queue-limits", "warning queue-limits",
                ]
            }
            try Servers.rabbitmqctl("clear_policy", scene.name)
        }

        // MARK: Rivals

        @Test func anotherConsumerIsNamed() throws {
            let plugin = try ManagementPlugin()
            let scene = try Scene.complete()
            let worker = try scene.startWorker()
            try worker.waitUntilConsuming()
            let management = ["RABBITMQ_MANAGEMENT_URL": plugin.url]
            try eventually("the worker alone is fine") { try scene.findings(management) == [] }
            try scene.queue.whileConsuming {
                try eventually("the other shows") {
                    try scene.findings(management) == ["error rival-writer"]
                }
                // Without the plugin the doctor cannot name the other consumer. It only sees that
                // there is one consumer more than workers.
                #expect(try scene.findings() == ["warning consumers"])
            }
        }

        @Test func anotherWriterIsNamed() throws {
            let scene = try Scene.complete()
            var other = try Session(to: scene.owner, applicationName: "uvicorn")
            _ = try other.flight([
                (Statement("add", "UPDATE friendship_status SET friendship_score = 1"), [])
            ])
            #expect(try scene.findings(try scene.asOwner()) == ["error rival-writer"])
            _ = consume other
            try eventually("it has gone") { try scene.findings(try scene.asOwner()) == [] }
        }

        /// As the Python worker does with every change.
        @Test func doubledScoresAreNamed() throws {
            let scene = try Scene.complete()
            for user in ["a", "b", "c"] {
                try scene.addConversation("c-\(user)", user: user)
            }
            try scene.sql(
                "UPDATE conversation_events SET status = 'PROCESSED', friendship_score_change = 4"
            )
            try scene.sql(
                """
                INSERT INTO friendship_status (user_id, friendship_score)
                VALUES ('a', 4), ('b', 4), ('c', 4)
                """
            )
            #expect(try scene.findings() == [])
            try scene.sql("UPDATE friendship_status SET friendship_score = 8")
            try scene.reconnect()
            #expect(try scene.findings() == ["warning rival-writer"])
        }
    }
}
