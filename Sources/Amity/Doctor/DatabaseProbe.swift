import Foundation
import Postgres

/// Looks at the database, read-only. Blocks the calling thread, for seconds an address.
struct DatabaseProbe {
    let target: ConnectionTarget
    let queue: String

    /// A statement that takes longer is given up: the doctor must not be a load.
    private static let patience: Duration = .seconds(5)

    func look() -> DatabaseSight {
        var sight = DatabaseSight()
        for (address, target) in Self.single(target) {
            var server = DatabaseSight.Server(address: address)
            do throws(PostgresError) {
                var session = try open(target)
                if sight.session == nil { sight.session = try look(through: &session, at: target) }
            } catch {
                server.failure = "\(error)"
                server.isMisconfigured = error.kind == .misconfigured
            }
            sight.servers.append(server)
        }
        return sight
    }

    private func open(_ target: ConnectionTarget) throws(PostgresError) -> Session {
        try Session(
            to: target,
            applicationName: "amity doctor",
            statementTimeout: Self.patience
        )
    }

    /// Each host that libpq would try, alone.
    static func single(_ target: ConnectionTarget) -> [(String, ConnectionTarget)] {
        let keywords = target.keywords
        let hosts = (keywords["host"] ?? "").split(separator: ",").map(String.init)
        let ports = (keywords["port"] ?? "5432").split(separator: ",").map(String.init)
        guard keywords["hostaddr"] == nil, hosts.count > 1 else {
            return [("\(hosts.first ?? "the default host"):\(ports.first ?? "5432")", target)]
        }
        return hosts.enumerated().map { index, host in
            let port = ports.count == hosts.count ? ports[index] : ports.first ?? "5432"
            return ("\(host):\(port)", target.with(["host": host, "port": port]))
        }
    }

    private func look(
        through session: inout Session,
        at target: ConnectionTarget
    ) throws(PostgresError) -> SessionSight {
        let asked = Date()
        let facts = try session.ask(DoctorSQL.facts)
        let half = Date().timeIntervalSince(asked) / 2
        let skew = (facts.double(0, 5) ?? 0) - asked.timeIntervalSince1970 - half
        return SessionSight(
            version: facts.integer(0, 0) ?? 0,
            role: facts.string(0, 1) ?? "",
            isEncrypted: session.isEncrypted,
            isReadOnly: facts.string(0, 2) == "t",
            hasOurGuards: facts.string(0, 3) == "force_generic_plan",
            pooling: facts.integer(0, 4) == session.announcedProcess
                ? .none : try pooling(of: &session, at: target),
            skew: (skew, half),
            tables: try tables(through: &session),
            indexes: try indexes(through: &session),
            room: try room(through: &session),
            liveWorkers: try unless(forbidden: nil) { () throws(PostgresError) in
                try session.ask(DoctorSQL.liveWorkers, [.text(queue)]).integer(0, 0)
            },
            rivals: try unless(forbidden: []) { () throws(PostgresError) in
                let rows = try session.ask(DoctorSQL.rivals)
                return (0..<rows.count).compactMap { rows.string($0, 0) }
            },
            doubled: try unless(forbidden: (0, 0)) { () throws(PostgresError) in
                let rows = try session.ask(DoctorSQL.doubled)
                return (rows.integer(0, 0) ?? 0, rows.integer(0, 1) ?? 0)
            }
        )
    }

    /// Two sessions that are open side by side have a server process each, unless a pooler gives them away
    /// after every transaction.
    private func pooling(
        of session: inout Session,
        at target: ConnectionTarget
    ) throws(PostgresError) -> SessionSight.Pooling {
        var other = try open(target)
        var (mine, theirs): (Set<Int?>, Set<Int?>) = ([], [])
        for _ in 0..<5 {
            mine.insert(try session.ask(DoctorSQL.process).integer(0, 0))
            theirs.insert(try other.ask(DoctorSQL.process).integer(0, 0))
        }
        return mine.count == 1 && mine.isDisjoint(with: theirs) ? .bySession : .byTransaction
    }

    private func tables(
        through session: inout Session
    ) throws(PostgresError) -> [String: SessionSight.Table] {
        let names = Schema.tables.map(\.name) + Schema.ownTables
        let columns = try session.ask(DoctorSQL.columns, [.textArray(names)])
        var tables: [String: SessionSight.Table] = [:]
        for row in 0..<columns.count {
            let (table, column) = (columns.string(row, 0) ?? "", columns.string(row, 1) ?? "")
            tables[table, default: .init(columns: [:], lacking: [])].columns[column] =
                columns.string(row, 2)
        }
        let wanted = DoctorSQL.privileges
        let lacking = try session.ask(
            DoctorSQL.lacking,
            [.textArray(wanted.map(\.table)), .textArray(wanted.map(\.privilege))]
        )
        for row in 0..<lacking.count {
            tables[lacking.string(row, 0) ?? ""]?.lacking.append(lacking.string(row, 1) ?? "")
        }
        return tables
    }

    private func indexes(
        through session: inout Session
    ) throws(PostgresError) -> [SessionSight.Index] {
        let rows = try session.ask(
            DoctorSQL.indexes,
            [.textArray(["conversation_events", "friendship_status"])]
        )
        return (0..<rows.count).map { row in
            .init(
                name: rows.string(row, 0) ?? "",
                table: rows.string(row, 1) ?? "",
                method: rows.string(row, 2) ?? "",
                columns: rows.string(row, 3) ?? "",
                bytes: rows.integer(row, 4) ?? 0
            )
        }
    }

    private func room(through session: inout Session) throws(PostgresError) -> SessionSight.Room {
        let rows = try session.ask(DoctorSQL.room)
        func limit(_ column: Int) -> Int? { rows.integer(0, column).flatMap { $0 < 0 ? nil : $0 } }
        return .init(
            maximum: rows.integer(0, 0) ?? 0,
            reserved: rows.integer(0, 1) ?? 0,
            others: max(0, rows.integer(0, 2) ?? 0),
            roleLimit: limit(3),
            databaseLimit: limit(4)
        )
    }

    /// Answers `nothing` where the role may not look, or a table is missing, which other checks say; and
    /// where it takes too long.
    private func unless<R>(
        forbidden nothing: R,
        _ ask: () throws(PostgresError) -> R
    ) throws(PostgresError) -> R {
        do throws(PostgresError) {
            return try ask()
        } catch {
            if error.kind == .misconfigured || error.kind == .timeout { return nothing }
            throw error
        }
    }
}

extension Session {
    /// Sends one statement under a name of its own: behind a pooler that of another session may be there.
    fileprivate mutating func ask(
        _ sql: String,
        _ parameters: [Parameter] = []
    ) throws(PostgresError) -> Rows {
        let name = "doctor_" + UUID().uuidString.prefix(13)
        return try flight([(Statement(name, sql), parameters)])[0]
    }
}
