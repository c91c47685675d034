import AMQP
import Messaging
import Testing

@testable import Doctor
@testable import Storage

extension DoctorTests {
    // MARK: What it costs

    /// Fault: queue full of messages, no worker, and the doctor lets a deploy pass with a note. An
    /// empty queue without workers is how each first deploy begins.
    @Test(arguments: [(0, ["note consumers"]), (21, ["error consumers"])])
    func aQueueWithoutConsumersIsAnErrorOnceMessagesWait(ready: Int, found: [String]) {
        let seen = complaints { snapshot in
            snapshot.broker.queues[0].presence = .exists(QueueDepth(ready: ready, consumers: 0))
            snapshot.database.session?.workers = []
        }
        #expect(seen == found)
    }

    /// Fault: 3,000 dead letters are a note among others.
    @Test(arguments: [
        (nil, 1, "warning"), ("10", 9, "note"), ("10", 10, "warning"), ("0", 3000, "note"),
    ])
    func deadLettersCountFromWhereTheAlertDoes(limit: String?, deadLetters: Int, level: String) {
        let seen = complaints(limit.map { ["ALERT_DEAD_LETTERS": $0] } ?? [:]) { snapshot in
            snapshot.broker.queues[1].presence = .exists(
                QueueDepth(ready: deadLetters, consumers: 0)
            )
        }
        #expect(seen == ["\(level) dead-letters"])
    }

    /// Fault: errors come last, below a screen of notes.
    @Test func theWorstComesFirst() {
        let seen = complaints { snapshot in
            snapshot.broker.nodes[0].version = "3.7.0"
            snapshot.database.session?.hasOurGuards = false
            snapshot.database.session?.isolation = "serializable"
            snapshot.host.secretFiles[0].mode = 0o644
            snapshot.broker.queues[0].presence = .exists(QueueDepth(ready: 0, consumers: 0))
            snapshot.management = .notAsked
        }
        let levels = seen.map { $0.prefix { $0 != " " } }
        #expect(levels == ["error", "error", "error", "warning", "note", "note"])
    }

    /// Fault: what the monitor has found over minutes is never asked.
    @Test func raisedAlertsAreNamedByWhatTheyCost() {
        func with(_ names: String...) -> [String] {
            complaints { snapshot in
                snapshot.database.session?.alerts = names.map {
                    .init(name: $0, age: 600, value: 7)
                }
            }
        }
        #expect(with("stalled") == ["error alerts"])
        #expect(with("queue_depth", "oldest_age") == ["warning alerts", "warning alerts"])
        #expect(with("no_consumers", "dead_letters") == [])
        #expect(with("one_of_a_later_version") == ["warning alerts"])
    }

    /// Fault: all workers are paused, and the doctor says "start a worker".
    @Test func workersThatDoNotWorkAreNamed() {
        func with(_ states: [(String, [String])], _ consumers: Int = 1, waiting: Int = 0)
            -> [String]
        {
            complaints { snapshot in
                snapshot.broker.queues[0].presence = .exists(
                    .init(ready: waiting, consumers: consumers)
                )
                snapshot.database.session?.workers = states.enumerated().map { index, state in
                    .init(name: "h:\(index)", state: state.0, reasons: state.1)
                }
            }
        }
        let paused = ("not-ready", ["intake is switched off"])
        let cut = ("not-ready", ["not consuming from the broker"])
        #expect(with([("ready", []), paused]) == ["warning workers"])
        #expect(with([("ready", []), paused], waiting: 5) == ["warning workers"])
        #expect(with([paused, paused], 0, waiting: 5) == ["error consumers", "error workers"])
        #expect(
            with([paused, cut], 0) == ["warning workers", "warning workers", "note consumers"]
        )
        #expect(with([("ready", []), ("draining", ["draining"])]) == [])
        // A paused worker does not stand for another's consumer.
        #expect(with([("ready", []), paused], 2) == ["warning consumers", "warning workers"])
    }

    /// Faults: a message that comes from another consumer's hands is never scored here, and all is
    /// green.
    @Test func consumersThatAreNotInTheRegistryAreNamed() {
        func with(_ consumers: Int, _ report: [ManagementReport.Consumer]?) -> [String] {
            complaints { snapshot in
                snapshot.broker.queues[0].presence = .exists(.init(ready: 0, consumers: consumers))
                guard case .seen(var seen) = snapshot.management, let report else { return }
                seen.consumers = report
                snapshot.management = .seen(seen)
            }
        }
        let ours = ManagementReport.Consumer(connection: "amity h:1", isAmity: true)
        let other = ManagementReport.Consumer(connection: "pika", isAmity: false, priority: 10)
        #expect(with(2, nil) == [])
        #expect(with(3, nil) == ["warning consumers"])
        #expect(with(3, [ours, ours, ours]) == ["warning consumers"])
        // Named once, as what it is.
        #expect(with(3, [ours, ours, other]) == ["error rival-writer"])
    }

    /// Fault: a broker that takes nothing is a note where there is no plugin.
    @Test func anAlarmIsAnErrorFromEitherSource() {
        #expect(complaints { $0.broker.alarm = "low on memory" } == ["error broker-alarm"])
        #expect(
            complaints(ofReport: { $0.alarms = ["n is short of disk"] }) == ["error broker-alarm"]
        )
    }

    /// Fault: a queue on a node that is down is called missing, and "amity migrate" cannot help.
    @Test func aQueueWhoseNodeIsDownIsNotMissing() {
        #expect(
            BrokerSnapshot.absence(
                "NOT_FOUND - home node 'rabbit@b' of durable queue 'q' in vhost '/' is down or "
                    + "inaccessible"
            ) == .away(node: "rabbit@b")
        )
        #expect(BrokerSnapshot.absence("NOT_FOUND - no queue 'q' in vhost '/'") == .missing)
        let seen = Doctor.judge(snapshot { $0.broker.queues[2].presence = .away(node: "rabbit@b") })
            .findings.filter { $0.finding.level == .error }
        #expect(seen.map(\.check) == ["topology"])
        #expect(seen.first?.finding.text.contains("node rabbit@b") == true)
        #expect(seen.first?.finding.text.contains("migrate") == false)
    }

    /// Fault: a policy over all queues deletes delay queues and dead letters, and no check looks at
    /// those queues.
    @Test func limitsOfHelperQueuesAreNamed() {
        func with(_ suffix: String, _ policy: [String: HeaderValue]) -> [String] {
            complaints(ofReport: {
                $0.queues["conversation_events_processing\(suffix)"]?.policy = policy
            })
        }
        let expires = ["expires": HeaderValue.integer(1_800_000)]
        #expect(with(".dead", expires) == ["error queue-limits"])
        #expect(with(".retry.30", expires) == ["error queue-limits"])
        #expect(with("", expires) == ["warning queue-limits"])
        #expect(with(".dead", ["message-ttl": .integer(1)]) == ["warning queue-limits"])
        #expect(with(".retry.30", ["max-length": .integer(1)]) == ["warning queue-limits"])
        #expect(with(".retry.30", ["message-ttl": .integer(99_000)]) == [])
    }

    /// Fault: after a node was frozen an API publishes to queues that no worker sees, and no one
    /// knows why.
    @Test func nodesThatHavePartedAreAnError() {
        let found = complaints(ofReport: { report in
            report.nodes = 3
            report.partitions = ["rabbit@b": ["rabbit@a"], "rabbit@a": ["rabbit@c", "rabbit@b"]]
        })
        #expect(found == ["error cluster"])
    }

    /// Faults: a stream, or a queue that goes with the broker, in the place of the main queue;
    /// helpers that one node alone has, beside a main queue that survives it.
    @Test func kindsOfQueuesAreNamed() {
        let main = "conversation_events_processing"
        func with(
            _ nodes: Int? = 3,
            _ setting: String = "quorum",
            change: (inout ManagementReport) -> Void
        ) -> [String] {
            complaints(["RABBITMQ_QUEUE_TYPE": setting]) { snapshot in
                guard case .seen(var report) = snapshot.management else { return }
                report.nodes = nodes
                for name in report.queues.keys { report.queues[name]?.type = "quorum" }
                change(&report)
                snapshot.management = .seen(report)
            }
        }
        #expect(with { _ in } == [])
        #expect(with { $0.queues[main]?.type = "stream" } == ["error queue-kind"])
        #expect(with { $0.queues[main]?.isAutoDelete = true } == ["error queue-kind"])
        #expect(with { $0.queues[main]?.isDurable = false } == ["warning queue-kind"])
        #expect(with(3, "classic") { _ in } == ["note queue-kind"])
        let classic: (inout ManagementReport) -> Void = { report in
            report.queues["\(main).dead"]?.type = "classic"
        }
        #expect(with(3, change: classic) == ["warning queue-kind", "note queue-kind"])
        #expect(with(1, change: classic) == ["note queue-kind"])
    }

    /// Fault: delay queues of the other type are told as such that give nothing back.
    @Test(arguments: [
        (
            """
            inequivalent arg 'x-queue-type' for queue 'q': received none but current is the value \
            'quorum'
            """,
            ["note dead-letter-wiring", "note queue-kind"]
        ),
        (
            "inequivalent arg 'x-message-ttl' for queue 'q': received 1000 but current is 2000",
            ["error dead-letter-wiring"]
        ),
    ])
    func anotherTypeIsNoWrongWiring(text: String, found: [String]) {
        let seen = complaints { snapshot in
            snapshot.management = .notAsked
            snapshot.broker.queues[2].likeness = .differs(text)
        }
        #expect(seen.filter { $0 != "note management" } == found)
    }

    // MARK: The database

    /// Fault: one of two hosts is a standby and the doctor says "workers use the other addresses".
    @Test func aStandbyAmongTheHostsIsNamed() {
        func with(_ standbys: [Bool], _ attributes: String = "") -> [String] {
            complaints(["DATABASE_URL": "postgresql://localhost,127.0.0.1/a\(attributes)"]) {
                snapshot in
                snapshot.database.servers = standbys.enumerated().map { index, isStandby in
                    .init(address: "h\(index)", isStandby: isStandby)
                }
                snapshot.database.session?.isStandby = standbys.allSatisfy(\.self)
            }
        }
        #expect(with([true, false], "?target_session_attrs=any") == ["error database-writable"])
        #expect(with([true, false], "?target_session_attrs=read-write") == [])
        #expect(with([true, false]) == [])
        #expect(
            with([true, true], "?target_session_attrs=read-write") == ["error database-writable"]
        )
        #expect(with([false, false]) == [])
    }

    /// Fault: PgBouncer with fewer places than threads, or one that mixes up prepared statements,
    /// is told as a missing table.
    @Test func poolersAreNamedByWhatTheyCannot() {
        func with(_ pooling: SessionSnapshot.Pooling, guards: Bool = true) -> [String] {
            complaints {
                $0.database.session?.pooling = pooling
                $0.database.session?.hasOurGuards = guards
            }
        }
        #expect(with(.bySession(places: 10)) == [])
        #expect(with(.bySession(places: 9)) == ["error pooler"])
        #expect(with(.byTransaction(keepsStatements: false)) == ["error pooler"])
        #expect(with(.byTransaction(keepsStatements: true)) == [])
        #expect(with(.byTransaction(keepsStatements: true), guards: false) == ["warning pooler"])
        #expect(with(.byStatement) == ["error pooler"])
        // It may not get as far as a session.
        let mixed = complaints { snapshot in
            snapshot.database.servers[0].failure = "SQLSTATE 42P05"
            snapshot.database.servers[0].mixesStatements = true
            snapshot.database.session = nil
        }
        #expect(mixed == ["error pooler"])
    }

    /// Other steps are written in these forms, too.
    @Test func whatAStatementMakesIsRead() {
        guard
            case .index(let index, "amity_t")? = SchemaObject(
                "CREATE INDEX ON amity_t (a, b) WHERE c IS NULL"
            ),
            case .index("named", "t")? = SchemaObject("CREATE UNIQUE INDEX named ON t (a)"),
            case .columns(let columns, "t")? = SchemaObject(
                """
                ALTER TABLE t
                    ADD COLUMN IF NOT EXISTS a jsonb NOT NULL DEFAULT '[]',
                    ADD COLUMN b numeric(3, 1)
                """
            ),
            case .table("t", let all, ["a", "b"], true)? = SchemaObject(
                """
                CREATE UNLOGGED TABLE t (a text, b int CHECK (b IN (1, 2)), PRIMARY KEY (a, b)) \
                WITH (fillfactor = 50)
                """
            )
        else {
            Issue.record("a statement is not understood")
            return
        }
        #expect(index == "amity_t_a_b_idx")
        #expect(columns.map(\.definition) == ["jsonb NOT NULL DEFAULT '[]'", "numeric(3, 1)"])
        #expect(all.map(\.definition) == ["text", "int CHECK (b IN (1, 2))"])
        #expect(SchemaObject("UPDATE t SET a = 1").map { _ in 1 } == nil)
    }

    /// Fault: the doctor falls silent on what it could not ask.
    @Test func whatCouldNotBeAskedIsSaid() {
        let seen = complaints { $0.database.session?.unseen = ["rows (no answer within 2 s)"] }
        #expect(seen == ["note database-unseen"])
    }

    /// `SchemaObject` is how lost objects are known: a statement that it cannot read would never be
    /// repaired.
    @Test func everyStatementOfEveryStepIsUnderstood() {
        for statement in Schema.steps.flatMap(\.statements) {
            #expect(SchemaObject(statement.sql) != nil, "\(statement.name)")
        }
        for table in Schema.ownTables {
            #expect(!table.key.isEmpty && table.columns.count > 1, "\(table.name)")
        }
    }
}
