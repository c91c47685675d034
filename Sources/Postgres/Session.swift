import CPostgres
import CoreMetrics
import Failpoints
import Glibc
import Metering

/// One connection to PostgreSQL, always in pipeline mode. Noncopyable: it has one owner.
// `@unchecked` because libpq's handle is a pointer: libpq allows any thread to use it, one at a
// time, and a value with one owner that is passed `inout` is used by one at a time.
package struct Session: ~Copyable, @unchecked Sendable {
    private let connection: OpaquePointer
    private var prepared: Set<String> = []
    /// How often a statement was not prepared, because it or one before it in its flight failed.
    private var refusals: [String: Int] = [:]
    private var buffer = ParameterBuffer()
    /// By the name that a flight's first statement is timed under.
    private var timers: [String: CoreMetrics.Timer] = [:]
    /// Whether its first flight was done: see `begin`.
    private var hasBegun = false
    private var isBeginning = false
    /// How long the answers to one flight may take in all.
    private var patience: Duration
    /// Sent with each transaction's first flight, and its answer kept from the caller.
    private let preamble: (Statement, [Parameter])?
    private let hosts: DatabaseHosts
    /// Which of them it is connected to, and how often that one had fallen silent before.
    private let host: Int
    private let silencesBefore: Int
    /// Whether an answer is owing or the link is gone. Such a session is only good for closing.
    package private(set) var isBroken = false

    /// Connects.
    ///
    /// - Parameters:
    ///   - target: keywords as libpq names them; `options` is kept and added to.
    ///   - statementTimeout: after this the server gives a statement up (57014).
    ///   - patience: how long the answers to one flight may take in all; by default longer than
    ///     its statements may.
    package init(
        to target: ConnectionTarget,
        applicationName: String,
        statementTimeout: Duration = .seconds(30),
        patience: Duration? = nil
    ) throws(PostgresError) {
        // What the target says itself wins: the keywords are in order, and libpq takes the last.
        let wanted = try target.current()
        // libpq reads PGOPTIONS only where its caller passes no options.
        let own = wanted["options"] ?? getenv("PGOPTIONS").map { String(cString: $0) }
        let options = [Self.guards(statementTimeout), own].compactMap(\.self)
        var keywords = Self.link + [("fallback_application_name", applicationName)]
        let hosts = target.hosts
        // Of each host. Chosen: where one is frozen, the next one is asked in time.
        keywords.append(("connect_timeout", hosts.count > 1 ? "3" : "5"))
        if target.isReadWriteWanted { keywords.append(("target_session_attrs", "read-write")) }
        keywords += wanted.filter { $0.key != "options" }.map { ($0.key, $0.value) }
        keywords += hosts.ordered().map { ($0.key, $0.value) }
        let silences = hosts.silences
        keywords.append(("options", options.joined(separator: " ")))
        let names = keywords.map { Parameter.text($0.0) }
        let values = keywords.map { Parameter.text($0.1) }
        var (nameBuffer, valueBuffer) = (ParameterBuffer(), ParameterBuffer())
        let opened = nameBuffer.withCStrings(names) { names in
            valueBuffer.withCStrings(values) { values in PQconnectdbParams(names, values, 0) }
        }
        guard let opened else { throw .link("out of memory", during: PostgresError.connecting) }
        // Notices may quote rows; libpq would print them to standard error.
        PQsetNoticeReceiver(opened, { _, _ in }, nil)
        if let refusal = Self.refusal(of: opened, target) {
            PQfinish(opened)  // A failed init runs no deinit.
            throw refusal
        }
        guard PQenterPipelineMode(opened) == 1, PQsetnonblocking(opened, 1) == 0 else {
            defer { PQfinish(opened) }
            throw .link(String(cString: PQerrorMessage(opened)), during: PostgresError.connecting)
        }
        connection = opened
        preamble = target.localSetting.map {
            (Statement.setLocally, [.text($0.name), .text($0.value)])
        }
        self.patience = patience ?? Self.patience(statementTimeout)
        self.hosts = hosts
        host = hosts.connected(
            to: PQhost(opened).map { String(cString: $0) } ?? "",
            PQport(opened).map { String(cString: $0) } ?? ""
        )
        silencesBefore = silences[host]
    }

    /// Why a connection did not come about; nil if it did.
    ///
    /// libpq tells the SQLSTATE of a login that the server refuses in its verbose messages only,
    /// and only a connection that exists can be told to be verbose: so where a server has answered,
    /// it is asked once more. That may succeed.
    private static func refusal(
        of connection: OpaquePointer,
        _ target: ConnectionTarget
    ) -> PostgresError? {
        if PQstatus(connection) == CONNECTION_OK { return nil }
        var message = String(cString: PQerrorMessage(connection))
        if PQconnectionUsedPassword(connection) == 1, let origin = target.passwordOrigin {
            message += "\nthe password from \(origin) was sent"
        }
        guard message.contains("FATAL:") else {
            return .link(message, during: PostgresError.connecting)
        }
        PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        PQreset(connection)
        PQsetErrorVerbosity(connection, PQERRORS_DEFAULT)
        if PQstatus(connection) == CONNECTION_OK { return nil }
        let verbose = String(cString: PQerrorMessage(connection))
        let state = verbose.firstMatch(of: #/FATAL: +([0-9A-Z]{5}): /#).map { String($0.1) }
        return PostgresError(
            sqlState: state ?? "",
            operation: PostgresError.connecting,
            message: message.split(separator: "\n").joined(separator: "; "),
            endsSession: true
        )
    }

    /// Whether the other side has ended it while nothing was asked. For a session that has rested:
    /// the server ends those that idle (57P05) or are told to go, and so may whatever is between.
    /// Where its host has fallen silent since, it counts as ended: else each session of a pool
    /// would wait in turn for a server that is frozen.
    package func hasEnded() -> Bool {
        if hosts.silences[host] != silencesBefore { return true }
        var socket = pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0)
        // Each turn takes in what has come: a parameter that changed, a last word, the end.
        while poll(&socket, 1, 0) > 0 {
            if PQconsumeInput(connection) == 0 || PQstatus(connection) == CONNECTION_BAD {
                return true
            }
        }
        return false
    }

    deinit { PQfinish(connection) }

    /// The id of the server process of this session, as the answer at its start named it: a pooler
    /// makes one up.
    package var announcedProcess: Int { Int(PQbackendPID(connection)) }
    package var isEncrypted: Bool { PQsslInUse(connection) == 1 }

    /// Sends all statements in one go, then reads all answers: one round trip.
    ///
    /// A failed statement makes the server skip the rest. If that leaves a transaction open it is
    /// rolled back here, and the session is as good as new; if the link is gone, `isBroken`. So it
    /// is after an answer that took longer than any statement may: whatever is between us and the
    /// server may go on accepting what we send, for ever.
    ///
    /// - Returns: one result for each statement, in order.
    package mutating func flight(
        _ statements: [(Statement, [Parameter])]
    ) throws(PostgresError) -> [Rows] {
        let (rows, failure) = try openFlight(statements)
        guard let failure else { return rows }
        if !isBroken { try recover() }
        throw failure
    }

    /// The same, and a statement that fails leaves the transaction open: the caller takes back to a
    /// savepoint, or rolls back.
    ///
    /// - Returns: the results up to the statement that failed, if one did.
    package mutating func openFlight(
        _ statements: [(Statement, [Parameter])]
    ) throws(PostgresError) -> (rows: [Rows], failure: PostgresError?) {
        if !hasBegun { try begin() }
        let begin = ContinuousClock.now
        defer { time(statements, since: begin) }
        let place = placeOfPreamble(in: statements)
        var expected: [Expected] = []
        for index in statements.indices {
            if index == place, let preamble { try send(preamble, hidden: true, &expected) }
            try send(statements[index], &expected)
        }
        if place == statements.count, let preamble { try send(preamble, hidden: true, &expected) }
        guard PQpipelineSync(connection) == 1 else { throw broken(during: "sync") }
        if statements.last?.0.commits == true { Failpoint.commitSent.hit() }
        let answer = try answers(to: expected, by: .now + patience)
        // A server that is read-only or out of resources may stay so for its old sessions, while
        // its address already leads to another.
        if let failure = answer.failure, failure.outdatesSession || failure.kind == .unavailable {
            isBroken = true
        }
        return answer
    }

    /// An answer that is owing.
    private struct Expected {
        var operation: String
        var isPreparing = false
        /// Whether the caller has not asked for it.
        var isHidden = false
    }

    private mutating func send(
        _ request: (Statement, [Parameter]),
        hidden: Bool = false,
        _ expected: inout [Expected]
    ) throws(PostgresError) {
        let (statement, parameters) = request
        if prepared.insert(statement.name).inserted {
            let status = PQsendPrepare(connection, name(of: statement), statement.sql, 0, nil)
            try sent(status, statement)
            expected.append(Expected(operation: statement.name, isPreparing: true))
        }
        try sent(execute(statement, parameters), statement)
        expected.append(Expected(operation: statement.name, isHidden: hidden))
    }

    /// Before which of the statements that begin a transaction: behind a BEGIN, if there is one.
    /// Without one the whole flight is a transaction. nil for none.
    private func placeOfPreamble(in statements: [(Statement, [Parameter])]) -> Int? {
        guard preamble != nil, PQtransactionStatus(connection) == PQTRANS_IDLE else { return nil }
        return statements.first?.0.name == Statement.begin.name ? 1 : 0
    }

    /// Sets the time zone, before anything else: PGTZ in the environment and options in the URL win
    /// over what a session asks for at its start.
    ///
    /// What is sent here is answered at once, or by no server at all: a pooler lets a client in and
    /// has it wait for a place, for as long as it likes.
    private mutating func begin() throws(PostgresError) {
        hasBegun = true
        isBeginning = true
        defer { isBeginning = false }
        let ordinary = patience
        patience = min(patience, .seconds(5))
        defer { patience = ordinary }
        do throws(PostgresError) {
            _ = try flight([(Statement("utc", "SET TimeZone TO 'UTC'"), [])])
        } catch {
            isBroken = true
            if !error.sqlState.isEmpty { throw error }
            throw .link(
                "connected, and nothing came back in \(Int(patience / .seconds(1))) s: a pooler "
                    + "(PgBouncer) may have no place left; give it more, or lower "
                    + "DATABASE_SESSIONS_MAX",
                during: PostgresError.connecting
            )
        }
    }

    /// Takes the time of a flight, whatever came of it.
    private mutating func time(
        _ statements: [(Statement, [Parameter])],
        since begin: ContinuousClock.Instant
    ) {
        let name = (statements.first { !$0.0.isControl } ?? statements.first)?.0.timer ?? "none"
        let timer = timers[name] ?? Metric.databaseFlight.timer(name)
        timers[name] = timer
        timer.record(begin.duration(to: .now))
    }

    private mutating func execute(_ statement: Statement, _ parameters: [Parameter]) -> Int32 {
        let (connection, name) = (connection, name(of: statement))
        return buffer.withCStrings(parameters) { values in
            PQsendQueryPrepared(
                connection,
                name,
                Int32(parameters.count),
                values,
                nil,
                nil,
                0
            )
        }
    }

    /// The name that it is prepared under: another one after each refusal, for PgBouncer does not
    /// free the name of what its server has not prepared.
    private func name(of statement: Statement) -> String {
        refusals[statement.name].map { "\(statement.name)/\($0)" } ?? statement.name
    }

    private mutating func refuse(_ statement: String) {
        prepared.remove(statement)
        refusals[statement, default: 0] += 1
        // Chosen: a bound on what PgBouncer keeps for a session.
        if refusals[statement] == 100 { isBroken = true }
    }

    private mutating func sent(_ status: Int32, _ statement: Statement) throws(PostgresError) {
        if status != 1 { throw broken(during: statement.name) }
    }

    private mutating func answers(
        to expected: [Expected],
        by deadline: ContinuousClock.Instant
    ) throws(PostgresError) -> (rows: [Rows], failure: PostgresError?) {
        var rows: [Rows] = []
        var failure: PostgresError?
        for answer in expected {
            let operation = answer.operation
            guard let result = try next(during: operation, by: deadline) else {
                throw broken(during: operation)
            }
            let status = PQresultStatus(result)
            switch status {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK:
                let owned = Rows(owning: result, of: operation)
                if !answer.isPreparing, !answer.isHidden { rows.append(owned) }
            case _:
                if failure == nil, status != PGRES_PIPELINE_ABORTED {
                    failure = PostgresError.answered(in: result, during: operation)
                }
                if answer.isPreparing { refuse(operation) }
                PQclear(result)
            }
            // Each answer ends with a null; a link that breaks here shows at the sync.
            while let extra = try next(during: operation, by: deadline) { PQclear(extra) }
            if PQstatus(connection) == CONNECTION_BAD {
                throw failure ?? broken(during: operation)
            }
        }
        guard let sync = try next(during: "sync", by: deadline) else {
            isBroken = true
            throw failure ?? broken(during: "sync")
        }
        defer { PQclear(sync) }
        if PQresultStatus(sync) == PGRES_PIPELINE_SYNC {
            return (rows, failure)
        }
        // A flight with no BEGIN commits here, after all answers: what a commit may fail with comes
        // now. libpq may have lost its place in the queue by then, so the session is given up.
        isBroken = true
        let late = PostgresError.answered(in: sync, during: expected.last?.operation ?? "sync")
        if !late.sqlState.isEmpty { throw failure ?? late }
        throw failure ?? broken(during: "sync")
    }

    /// `PQgetResult`, which has no time limit, called once it need not wait.
    private mutating func next(
        during operation: String,
        by deadline: ContinuousClock.Instant
    ) throws(PostgresError) -> OpaquePointer? {
        while true {
            let unsent = PQflush(connection) == 1
            if PQisBusy(connection) == 0 { break }
            let left = Int32(
                clamping: Int64(ContinuousClock.now.duration(to: deadline) / .milliseconds(1))
            )
            if left <= 0 {
                isBroken = true
                // What is slow to begin may wait for a pooler's place: where there is no other
                // host, that is no reason to give up the sessions that have one.
                if !isBeginning || hosts.count > 1 { hosts.fellSilent(host) }
                throw .link("nothing in \(patience / .seconds(1)) s", during: operation)
            }
            let events = Int16(unsent ? POLLIN | POLLOUT : POLLIN)
            var socket = pollfd(fd: PQsocket(connection), events: events, revents: 0)
            _ = poll(&socket, 1, left)
            // A link that is gone: the result says so.
            if PQconsumeInput(connection) == 0 { break }
        }
        return PQgetResult(connection)
    }

    /// After an error the server still holds the transaction open, and its locks.
    private mutating func recover() throws(PostgresError) {
        switch PQtransactionStatus(connection) {
        case PQTRANS_IDLE: return
        case PQTRANS_INTRANS, PQTRANS_INERROR: _ = try flight([(.rollback, [])])
        case _: isBroken = true
        }
    }

    /// Ends a transaction that an error of the caller's own has left open.
    mutating func abandonTransaction() {
        if isBroken { return }
        do throws(PostgresError) {
            try recover()
        } catch {
            isBroken = true
        }
    }

    private mutating func broken(during operation: String) -> PostgresError {
        isBroken = true
        return .link(String(cString: PQerrorMessage(connection)), during: operation)
    }
}
