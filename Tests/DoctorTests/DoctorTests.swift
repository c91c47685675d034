import AMQP
import Daemon
import Messaging
import Testing

@testable import Doctor
@testable import Settings
@testable import Storage

/// What the checks make of what was seen; that it is seen rightly, the integration tests show.
struct DoctorTests {
    /// Nothing is wrong with this one.
    private static func healthy(_ variables: [String: String] = [:]) throws -> DoctorSnapshot {
        let settings = try WorkerSettings(SettingValues { variables[$0] })
        let topology = settings.topology
        var broker = BrokerSnapshot()
        broker.nodes = settings.endpoint.addresses.map { .init(address: $0, version: "3.13.1") }
        let depth = QueueDepth(ready: 0, consumers: 1)
        broker.queues = topology.queueNames.map {
            .init(name: $0, presence: .exists(depth), likeness: .same)
        }
        broker.queues[1].presence = .exists(QueueDepth(ready: 0, consumers: 0))
        broker.exchange = .exists(depth)
        broker.reading = .granted
        broker.publishing = .granted
        var report = ManagementReport(version: "3.13.1", queues: [:], consumers: [], alarms: [])
        for name in topology.queueNames {
            report.queues[name] = .init(name: name, type: "classic", arguments: [:], policy: [:])
        }
        for seconds in topology.retrySeconds {
            report.queues[topology.names.retry(seconds: seconds)]?.arguments = [
                "x-message-ttl": .integer(Int64(seconds) * 1000),
                "x-dead-letter-exchange": .string(""),
                "x-dead-letter-routing-key": .string(topology.names.main),
            ]
        }
        report.isBound = true
        report.nodes = 1
        report.skew = 0.5
        return DoctorSnapshot(
            options: settings.doctor,
            host: HostSnapshot(
                openFilesMax: 1024,
                memoryBytes: 1 << 30,
                replicas: 3,
                secretFiles: [.init(name: ".env", mode: 0o600)]
            ),
            broker: broker,
            management: .seen(report),
            database: DatabaseSnapshot(
                servers: [.init(address: "localhost:5432", failure: nil)],
                session: session
            )
        )
    }

    private static var session: SessionSnapshot {
        var session = SessionSnapshot(
            version: 150_018,
            role: "amity",
            database: "amity",
            isEncrypted: false,
            isStandby: false,
            isReadOnlyByDefault: false,
            hasOurGuards: true,
            isolation: "read committed",
            timeZone: "UTC",
            pooling: .none,
            skew: (0.01, 0.01)
        )
        session.path = .init(text: "public", schema: "public")
        session.room = .init(maximum: 100, reserved: 3, others: 10)
        session.workers = ["a:1", "b:2"].map { .init(name: $0, state: "ready", reasons: []) }
        var tables = [Schema.ledgerName: TableSnapshot(columns: [:])]
        var indexes: [SessionSnapshot.Index] = []
        func add(_ name: String, _ columns: [String], key: String) {
            let columns = columns.map {
                ($0, TableSnapshot.Column(type: TablesCheck.types[$0]?.first ?? ""))
            }
            tables[name] = .init(columns: Dictionary(uniqueKeysWithValues: columns))
            indexes.append(
                .init(
                    name: "\(name)_key",
                    table: name,
                    method: "btree",
                    columns: key,
                    bytes: 0,
                    isKey: true
                )
            )
        }
        let keys = ["conversation_events": "conversation_id", "friendship_status": "user_id"]
        for table in Schema.tables { add(table.name, table.columns, key: keys[table.name] ?? "id") }
        for table in Schema.ownTables {
            add(table.name, table.columns, key: table.key.joined(separator: ", "))
            indexes += table.indexes.map {
                .init(name: $0, table: table.name, method: "btree", columns: "", bytes: 0)
            }
        }
        session.tables = tables
        session.indexes = indexes
        return session
    }

    /// Fault: a worker of conversations is told to migrate for tables that only tasks use.
    @Test func tablesOfTasksAreMissedByNoWorkerOfConversations() throws {
        let all = Set(Schema.ownTables.map(\.name))
        let tasks = all.subtracting(Schema.tablesOfWorkers.map(\.name))
        #expect(tasks.contains("amity_tasks") && !tasks.contains("amity_workers"))
        let seen = complaints { for table in tasks { $0.database.session?.tables?[table] = nil } }
        #expect(seen == [])
        #expect(Set(DoctorSQL.privileges.map(\.table)).isDisjoint(with: tasks))
        #expect(Set(DoctorSQL.privilegesForTasks.map(\.table)) == tasks)
    }

    /// All that is not fine, as `level check`.
    func complaints(_ snapshot: DoctorSnapshot) -> [String] {
        Doctor.judge(snapshot).findings.filter { $0.finding.level != .ok }
            .map { "\($0.finding.level) \($0.check)" }
    }

    func complaints(
        _ variables: [String: String] = [:],
        _ change: (inout DoctorSnapshot) -> Void
    ) -> [String] {
        do {
            var snapshot = try Self.healthy(variables)
            change(&snapshot)
            return complaints(snapshot)
        } catch { return ["\(error)"] }
    }

    /// The healthy one, changed.
    func snapshot(_ change: (inout DoctorSnapshot) -> Void) -> DoctorSnapshot {
        do {
            var snapshot = try Self.healthy()
            change(&snapshot)
            return snapshot
        } catch { preconditionFailure("\(error)") }
    }

    func complaints(ofReport change: (inout ManagementReport) -> Void) -> [String] {
        complaints { snapshot in
            guard case .seen(var report) = snapshot.management else { return }
            change(&report)
            snapshot.management = .seen(report)
        }
    }

    @Test func aHealthySetUpHasNoFinding() throws {
        #expect(complaints(try Self.healthy()) == [])
    }

    @Test func namesOfChecksAreTheirOwn() {
        #expect(Set(Doctor.checks.map(\.name)).count == Doctor.checks.count)
    }

    @Test(arguments: [("3.7.28", ["error broker-version"]), ("3.8.0", []), ("4.1.0", [])])
    func anOldBrokerIsNamed(version: String, found: [String]) {
        #expect(complaints { $0.broker.nodes[0].version = version } == found)
    }

    @Test func anOldDatabaseIsNamed() {
        #expect(complaints { $0.database.session?.version = 110_022 } == ["error database-version"])
    }

    @Test func aPlainLinkAcrossANetworkIsNamed() {
        let broker = complaints(["RABBITMQ_HOST": "localhost,broker"]) { _ in }
        #expect(broker == ["warning broker-tls"])
        #expect(complaints(["RABBITMQ_URL": "amqps://broker/"]) { _ in } == [])
        for (url, found) in [
            ("http://broker:15672", ["warning management-tls"]), ("https://broker:15671", []),
            ("http://[::1]:15672", []),
        ] {
            #expect(complaints(["RABBITMQ_MANAGEMENT_URL": url]) { _ in } == found)
        }
        let url = "postgresql://database/app"
        #expect(complaints(["DATABASE_URL": url]) { _ in } == ["warning database-tls"])
        for (mode, found) in [("require", ["note database-tls"]), ("verify-full", [])] {
            let seen = complaints(["DATABASE_URL": "\(url)?sslmode=\(mode)"]) {
                $0.database.session?.isEncrypted = true
            }
            #expect(seen == found)
        }
    }

    @Test(arguments: [
        (4.0, 0.1, []), (6.0, 0.1, ["warning clock"]), (-60, 0.1, ["warning clock"]),
        (6.0, 2.0, []),
    ])
    func aClockThatIsOffIsNamed(seconds: Double, uncertainty: Double, found: [String]) {
        #expect(complaints { $0.database.session?.skew = (seconds, uncertainty) } == found)
    }

    @Test func theBrokersClockCounts() {
        #expect(complaints(ofReport: { $0.skew = 5.5 }) == [])
        #expect(complaints(ofReport: { $0.skew = -90 }) == ["warning clock"])
    }

    /// RabbitMQ 4 has a default delivery limit where none is set; RabbitMQ 3 has no default.
    @Test func aQuorumQueueThatDropsIsNamed() {
        func with(
            _ version: String,
            _ arguments: [String: HeaderValue],
            _ policy: [String: HeaderValue] = [:]
        ) -> [String] {
            complaints(["RABBITMQ_QUEUE_TYPE": "quorum"]) { snapshot in
                guard case .seen(var report) = snapshot.management else { return }
                defer { snapshot.management = .seen(report) }
                report.queues = report.queues.mapValues { queue in
                    var queue = queue
                    queue.type = queue.name.hasSuffix(".dead") ? "classic" : "quorum"
                    return queue
                }
                report.version = version
                let name = "conversation_events_processing"
                report.queues[name] = .init(
                    name: name,
                    type: "quorum",
                    arguments: arguments,
                    policy: policy
                )
            }.filter { $0 != "note queue-kind" }
        }
        #expect(with("3.13.7", [:]) == [])
        #expect(with("4.0.1", [:]) == ["warning delivery-limit"])
        #expect(with("4.0.1", ["x-delivery-limit": .integer(-1)]) == [])
        #expect(with("3.13.7", ["x-delivery-limit": .integer(9)]) == ["warning delivery-limit"])
        #expect(with("3.13.7", [:], ["delivery-limit": .integer(9)]) == ["warning delivery-limit"])
        #expect(with("4.0.1", ["x-dead-letter-exchange": .string("")]) == [])
        let own: [String: HeaderValue] = ["x-delivery-limit": .integer(Topology.deliveryLimit)]
        #expect(with("4.0.1", own) == [] && with("3.10.8", own) == [])
        // As both brokers were seen to act.
        #expect(with("3.10.8", ["x-delivery-limit": .integer(-1)]) == ["warning delivery-limit"])
        let none: [String: HeaderValue] = ["x-delivery-limit": .integer(-1)]
        #expect(with("4.0.5", none, ["delivery-limit": .integer(5)]) == ["warning delivery-limit"])
        #expect(with("4.0.5", own, ["delivery-limit": .integer(-1)]) == [])
        // The same of the dead letters, which each look counts against.
        let deadLetters = complaints(ofReport: { report in
            report.version = "4.0.5"
            report.queues["conversation_events_processing.dead"]?.type = "quorum"
        })
        #expect(deadLetters == ["warning delivery-limit", "note queue-kind"])
    }

    @Test func aTaskQueueThatDropsIsNamed() {
        let name = "amity_tasks.default.normal"
        let found = complaints(["TASK_QUEUES": "default"]) { snapshot in
            guard case .seen(var report) = snapshot.management else { return }
            report.version = "4.0.5"
            report.queues[name] = .init(name: name, type: "quorum", arguments: [:], policy: [:])
            snapshot.management = .seen(report)
        }
        #expect(found == ["warning delivery-limit"])
    }

    /// Without the management plugin a refused declaration tells the limit.
    @Test(arguments: [
        ("4.0.5", "none", ["warning delivery-limit"]), ("3.10.8", "none", []),
        ("4.0.5", "the value '-1' of type 'signedint'", []),
        ("3.10.8", "the value '-1' of type 'signedint'", ["warning delivery-limit"]),
        ("3.10.8", "the value '9' of type 'signedint'", ["warning delivery-limit"]),
    ])
    func aLimitThatDiffersIsNamed(version: String, current: String, found: [String]) {
        let seen = complaints { snapshot in
            snapshot.management = .notAsked
            snapshot.broker.nodes[0].version = version
            snapshot.broker.queues[0].likeness = .differs(
                "inequivalent arg 'x-delivery-limit' for queue 'q': current is \(current)"
            )
        }
        #expect(seen.filter { $0.hasSuffix("delivery-limit") || $0.hasSuffix("limits") } == found)
    }

    @Test func aConsumerTimeoutThatIsShorterIsNamed() {
        func with(_ milliseconds: Int64) -> [String] {
            complaints(ofReport: {
                $0.queues["conversation_events_processing"]?.policy = [
                    "consumer-timeout": .integer(milliseconds)
                ]
            })
        }
        #expect(with(1_800_000) == [])
        #expect(with(60_000) == ["warning consumer-timeout"])
        #expect(with(30_000) == ["error consumer-timeout"])
    }

    @Test func whatOnlyAMQPShowsIsSaidToBeLess() {
        let found = complaints { snapshot in
            snapshot.management = .notAsked
            for index in snapshot.broker.queues.indices {
                snapshot.broker.queues[index].likeness = .unknown
            }
        }
        #expect(found == ["note dead-letter-wiring", "note management"])
    }

    @Test func replicasAreCounted() {
        func with(_ replicas: Int?, _ change: (inout SessionSnapshot.Room) -> Void = { _ in })
            -> [String]
        {
            complaints { snapshot in
                snapshot.host.replicas = replicas
                if var room = snapshot.database.session?.room {
                    change(&room)
                    snapshot.database.session?.room = room
                }
            }
        }
        #expect(with(nil) == [] && with(8) == [])
        let live = complaints {
            $0.host.replicas = nil
            $0.database.session?.workers = (0..<10).map {
                .init(name: "h:\($0)", state: "ready", reasons: [])
            }
        }
        #expect(live == ["error max-connections"])
        #expect(with(9) == ["warning max-connections"])
        #expect(with(10) == ["error max-connections"])
        #expect(with(3, { $0.roleLimit = 29 }) == ["error max-connections"])
        #expect(with(3, { $0.databaseLimit = 30 }) == [])
    }

    @Test func limitsOfTheHostAreNamed() {
        #expect(complaints { $0.host.openFilesMax = 70 } == ["error open-files"])
        #expect(complaints { $0.host.memoryBytes = 200 << 20 } == ["warning memory"])
        #expect(complaints { $0.host.secretFiles[0].mode = 0o640 } == ["warning secret-files"])
        // As compose mounts them; done as told, `chmod 600` would close them to the worker.
        #expect(
            complaints {
                $0.host.secretFiles[0] = .init(name: "f", mode: 0o644, isReachable: false)
            } == []
        )
        #expect(!HostSnapshot.isReachable("/run/secrets/rabbitmq_password", mode: 0o644))
    }

    @Test func aPlainLinkToAServiceIsNamed() {
        let variables = [
            "LLM_ANALYSIS_ENABLED": "true", "LLM_MODEL": "m", "LLM_API_KEY": "k",
            "LLM_BASE_URL": "https://h/v1", "MEMORY_API_URL": "http://m",
        ]
        #expect(complaints(variables) { _ in } == ["warning analysis-tls"])
        let safe = variables.merging(["MEMORY_API_URL": "https://m"]) { $1 }
        #expect(complaints(safe) { _ in } == [])
        // Ten threads hold two connections each.
        let few = complaints(safe) { $0.host.openFilesMax = 90 }
        #expect(few == ["error open-files"])
    }

    /// Fault: one user who came yesterday and happens to have twice the sum raises an alarm.
    @Test(arguments: [(2, 2, false), (3, 3, true), (3, 6, true), (3, 7, false)])
    func doubledScoresPointToThePythonWorker(users: Int, all: Int, isNamed: Bool) {
        let found = complaints { $0.database.session?.doubled = (users, all) }
        #expect(found == (isNamed ? ["warning rival-writer"] : []))
    }

    @Test func nothingIsSaidOfWhatCouldNotBeSeen() {
        let found = complaints { snapshot in
            snapshot.broker = BrokerSnapshot()
            snapshot.broker.nodes = [
                .init(address: .init(host: "h", port: 1), failure: .unresponsive(during: "connect"))
            ]
            snapshot.management = .notAsked
            snapshot.database = DatabaseSnapshot(servers: [
                .init(address: "h:1", failure: "no answer")
            ])
        }
        #expect(found == ["error broker", "error database", "note management"])
    }
}
