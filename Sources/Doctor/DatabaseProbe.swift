import Foundation
import Postgres

/// Looks at the database, read-only. Blocks the calling thread, for seconds an address.
struct DatabaseProbe {
    let target: ConnectionTarget
    let queue: String
    /// Most sessions of a worker.
    let sessionsMax: Int
    /// Whether the worker takes tasks.
    let takesTasks: Bool

    func look() -> DatabaseSnapshot {
        var snapshot = DatabaseSnapshot()
        var usable: [(isStandby: Bool, target: ConnectionTarget)] = []
        for (address, target) in Self.single(target) {
            var server = DatabaseSnapshot.Server(address: address)
            do throws(PostgresError) {
                var questions = try Questions(to: target)
                server.isConnected = true
                let isStandby =
                    try questions.ask(DoctorSQL.isStandby, [], DoctorSQL.isStandby(_:)).first
                    ?? false
                server.isStandby = isStandby
                usable.append((isStandby, target))
            } catch { server.fail(error) }
            snapshot.servers.append(server)
        }
        guard let one = usable.first(where: { !$0.isStandby }) ?? usable.first else {
            return snapshot
        }
        do throws(PostgresError) {
            var questions = try Questions(to: one.target)
            snapshot.session = try look(asking: &questions, at: one.target)
            snapshot.session?.unseen = questions.unseen
        } catch {
            let index = snapshot.servers.firstIndex { $0.failure == nil }
            if let index { snapshot.servers[index].fail(error) }
        }
        return snapshot
    }

    /// Each host that libpq would try, alone, and whatever it is.
    static func single(_ target: ConnectionTarget) -> [(String, ConnectionTarget)] {
        let keywords = target.keywords
        let hosts = (keywords["host"] ?? "").split(separator: ",").map(String.init)
        let ports = (keywords["port"] ?? "5432").split(separator: ",").map(String.init)
        guard keywords["hostaddr"] == nil, hosts.count > 1 else {
            let address = "\(hosts.first ?? "the default host"):\(ports.first ?? "5432")"
            return [(address, target.with(["target_session_attrs": "any"]))]
        }
        return hosts.enumerated().map { index, host in
            let port = ports.count == hosts.count ? ports[index] : ports.first ?? "5432"
            let one = ["host": host, "port": port, "target_session_attrs": "any"]
            return ("\(host):\(port)", target.with(one))
        }
    }

    private func look(
        asking questions: inout Questions,
        at target: ConnectionTarget
    ) throws(PostgresError) -> SessionSnapshot {
        let asked = Date()
        // A SELECT without FROM answers one row.
        let facts = try questions.ask(DoctorSQL.facts, [], DoctorSQL.Facts.init)[0]
        let half = Date().timeIntervalSince(asked) / 2
        var snapshot = SessionSnapshot(
            version: facts.version,
            role: facts.role,
            database: facts.database,
            isEncrypted: questions.isEncrypted,
            isStandby: facts.isStandby,
            isReadOnlyByDefault: facts.isReadOnlyByDefault,
            hasOurGuards: facts.isLimited,
            isolation: facts.isolation,
            timeZone: facts.timeZone,
            pooling: .none,
            skew: (facts.clock - asked.timeIntervalSince1970 - half, half)
        )
        if facts.process != questions.announcedProcess {
            snapshot.pooling = pooling(of: &questions, at: target)
        }
        let settings = questions.ask(
            "settings of the role",
            DoctorSQL.ownSettings,
            [],
            DoctorSQL.setting
        )
        for (name, value) in settings ?? [] { snapshot.ownSettings[name.lowercased()] = value }
        CatalogueProbe.look(into: &snapshot, asking: &questions, withTasks: takesTasks)
        lookAtWork(into: &snapshot, asking: &questions)
        return snapshot
    }

    private func lookAtWork(into snapshot: inout SessionSnapshot, asking questions: inout Questions)
    {
        let queue = [Parameter.text(queue)]
        snapshot.room = questions.ask("connections", DoctorSQL.room, [], DoctorSQL.room(_:))?.first
        snapshot.workers = questions.ask(
            "workers",
            DoctorSQL.workers,
            queue,
            DoctorSQL.worker
        )
        snapshot.tasks = TaskSnapshot.look(asking: &questions)
        let alerts = questions.ask("alerts", DoctorSQL.alerts, queue, DoctorSQL.alerts(_:))
        if let json = alerts?.first ?? nil {
            do {
                snapshot.alerts = try JSONDecoder().decode([AlertSnapshot].self, from: json)
            } catch { snapshot.unseen.append("alerts (not as this version stores them)") }
        }
        let rivals = questions.ask("other writers", DoctorSQL.rivals, [], DoctorSQL.rival)
        snapshot.rivals = rivals?.compactMap(\.self) ?? []
        let doubled = questions.ask(
            "doubled scores",
            DoctorSQL.doubled,
            [],
            DoctorSQL.doubled(_:)
        )
        snapshot.doubled = doubled?.first ?? (0, 0)
        snapshot.rows = RowProbe.look(at: snapshot, asking: &questions)
    }
}

// MARK: - Poolers

extension DatabaseProbe {
    /// Two sessions that are open side by side have a server process each, unless a pooler gives
    /// them away after every transaction.
    private func pooling(
        of questions: inout Questions,
        at target: ConnectionTarget
    ) -> SessionSnapshot.Pooling {
        do throws(PostgresError) {
            var other = try Questions(to: target)
            var (mine, theirs): (Set<Int?>, Set<Int?>) = ([], [])
            for _ in 0..<5 {
                mine.formUnion(try questions.ask(DoctorSQL.process, [], DoctorSQL.process(_:)))
                theirs.formUnion(try other.ask(DoctorSQL.process, [], DoctorSQL.process(_:)))
            }
            if mine.count == 1, mine.isDisjoint(with: theirs) {
                return .bySession(places: 2 + places(at: target, atMost: sessionsMax - 2))
            }
            guard allowsTransactions(&questions) else { return .byStatement }
            return .byTransaction(keepsStatements: areKept(by: &questions, &other))
        } catch { return .bySession(places: 1) }
    }

    /// PgBouncer ends a session that leaves a transaction open, where it gives each statement
    /// another server.
    private func allowsTransactions(_ questions: inout Questions) -> Bool {
        do throws(PostgresError) {
            for statement in [Statement.begin, .commit] { try questions.run(statement) }
            return true
        } catch { return !error.endsSession }
    }

    /// Both prepare one of the same name, perhaps on the same server: only a pooler that knows of
    /// prepared statements keeps them apart.
    private func areKept(by one: inout Questions, _ other: inout Questions) -> Bool {
        let statement = Statement(Questions.name(), DoctorSQL.process)
        do throws(PostgresError) {
            try one.run(statement)
            try other.run(statement)
            try one.run(statement)
            return true
        } catch { return false }
    }

    /// How many more sessions get a server at once: each stays open until the next has an answer.
    private func places(at target: ConnectionTarget, atMost most: Int) -> Int {
        if most <= 0 { return 0 }
        do throws(PostgresError) {
            var questions = try Questions(to: target)
            _ = try questions.ask(DoctorSQL.process, [], DoctorSQL.process(_:))
            return 1 + places(at: target, atMost: most - 1)
        } catch { return 0 }
    }
}

extension DatabaseSnapshot.Server {
    fileprivate mutating func fail(_ error: PostgresError) {
        failure = "\(error)"
        mixesStatements = error.outdatesSession
    }
}
