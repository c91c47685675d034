import Foundation
import Postgres

/// Looks at the database, read-only. Blocks the calling thread, for seconds an address.
struct DatabaseProbe {
    let target: ConnectionTarget
    let queue: String
    /// Most sessions of a worker.
    let sessionsMax: Int

    func look() -> DatabaseSnapshot {
        var snapshot = DatabaseSnapshot()
        var usable: [(isStandby: Bool, target: ConnectionTarget)] = []
        for (address, target) in Self.single(target) {
            var server = DatabaseSnapshot.Server(address: address)
            do throws(PostgresError) {
                var questions = try Questions(to: target)
                server.isConnected = true
                let isStandby = try questions.ask(DoctorSQL.isStandby).string(0, 0) == "t"
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
        let facts = try questions.ask(DoctorSQL.facts)
        let half = Date().timeIntervalSince(asked) / 2
        var snapshot = SessionSnapshot(
            version: facts.integer(0, 0) ?? 0,
            role: facts.string(0, 1) ?? "",
            database: facts.string(0, 2) ?? "",
            isEncrypted: questions.isEncrypted,
            isStandby: facts.bool(0, 3),
            isReadOnlyByDefault: facts.bool(0, 4),
            hasOurGuards: facts.string(0, 5) == "force_generic_plan",
            isolation: facts.string(0, 6) ?? "",
            timeZone: facts.string(0, 7) ?? "",
            pooling: .none,
            skew: ((facts.double(0, 9) ?? 0) - asked.timeIntervalSince1970 - half, half)
        )
        if facts.integer(0, 8) != questions.announcedProcess {
            snapshot.pooling = pooling(of: &questions, at: target)
        }
        if let rows = questions.ask("settings of the role", DoctorSQL.ownSettings) {
            for row in 0..<rows.count {
                snapshot.ownSettings[(rows.string(row, 0) ?? "").lowercased()] = rows.string(row, 1)
            }
        }
        CatalogueProbe.look(into: &snapshot, asking: &questions)
        lookAtWork(into: &snapshot, asking: &questions)
        return snapshot
    }

    private func lookAtWork(into snapshot: inout SessionSnapshot, asking questions: inout Questions)
    {
        snapshot.room = room(asking: &questions)
        snapshot.workers = workers(asking: &questions)
        if let rows = questions.ask("alerts", DoctorSQL.alerts, [.text(queue)]),
            let json = rows.data(0, 0)
        {
            do {
                snapshot.alerts = try JSONDecoder().decode([AlertSnapshot].self, from: json)
            } catch { snapshot.unseen.append("alerts (not as this version stores them)") }
        }
        if let rows = questions.ask("other writers", DoctorSQL.rivals) {
            snapshot.rivals = (0..<rows.count).compactMap { rows.string($0, 0) }
        }
        if let rows = questions.ask("doubled scores", DoctorSQL.doubled) {
            snapshot.doubled = (rows.integer(0, 0) ?? 0, rows.integer(0, 1) ?? 0)
        }
        snapshot.rows = RowProbe.look(at: snapshot, asking: &questions)
    }

    private func workers(asking questions: inout Questions) -> [WorkerSnapshot]? {
        guard let rows = questions.ask("workers", DoctorSQL.workers, [.text(queue)]) else {
            return nil
        }
        return (0..<rows.count).map { row in
            var worker = WorkerSnapshot(
                name: rows.string(row, 0) ?? "",
                state: rows.string(row, 1) ?? "",
                reasons: []
            )
            do {
                worker.reasons = try json(rows, row, 2) ?? []
                worker.problems = try json(rows, row, 3) ?? []
                worker.pause = try json(rows, row, 4)
            } catch {
                // Another version's; its state alone says something, too.
            }
            return worker
        }
    }

    private func json<Value: Decodable>(
        _ rows: Rows,
        _ row: Int,
        _ column: Int
    ) throws -> Value? {
        try rows.data(row, column).map { try JSONDecoder().decode(Value?.self, from: $0) } ?? nil
    }

    private func room(asking questions: inout Questions) -> SessionSnapshot.Room? {
        guard let rows = questions.ask("connections", DoctorSQL.room) else { return nil }
        func limit(_ column: Int) -> Int? { rows.integer(0, column).flatMap { $0 < 0 ? nil : $0 } }
        return .init(
            maximum: rows.integer(0, 0) ?? 0,
            reserved: rows.integer(0, 1) ?? 0,
            others: max(0, rows.integer(0, 2) ?? 0),
            roleLimit: limit(3),
            databaseLimit: limit(4)
        )
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
                mine.insert(try questions.ask(DoctorSQL.process).integer(0, 0))
                theirs.insert(try other.ask(DoctorSQL.process).integer(0, 0))
            }
            if mine.count == 1, mine.isDisjoint(with: theirs) {
                return .bySession(places: 2 + places(at: target, atMost: sessionsMax - 2))
            }
            return .byTransaction(keepsStatements: areKept(by: &questions, &other))
        } catch { return .bySession(places: 1) }
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
            _ = try questions.ask(DoctorSQL.process)
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

extension Rows {
    func bool(_ row: Int, _ column: Int) -> Bool { string(row, column) == "t" }
}
