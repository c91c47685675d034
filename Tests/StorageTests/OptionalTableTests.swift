import Concurrency
import Logging
import Postgres
import Testing

@testable import Storage

struct OptionalTableTests {
    private struct KeepingHandler: LogHandler {
        let events: Locked<[String]>
        var logLevel = Logger.Level.debug
        var metadata: Logger.Metadata = [:]
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            events.withLock { $0.append("\(event.level) \(event.message)") }
        }
    }

    private let events = Locked<[String]>([])
    private let missing = PostgresError(sqlState: "42P01", operation: "read", message: "")

    private func table(triedAgainAfter pause: Duration) -> OptionalTable {
        OptionalTable(
            missing: "table.off",
            found: "table.on",
            triedAgainAfter: pause,
            logger: Logger(label: "test") { [events] _ in KeepingHandler(events: events) }
        )
    }

    /// Fault: a table that was not made fills the log, or its return is not to be seen there.
    @Test func whatIsMissingIsSaidOnceAndSoIsItsReturn() {
        let table = table(triedAgainAfter: .zero)
        table.isThere()
        #expect(table.isMissing(missing))
        #expect(!table.isMissing(missing))
        #expect(events.withLock { $0 } == ["warning table.off"])
        table.isThere()
        table.isThere()
        #expect(events.withLock { $0 } == ["warning table.off", "notice table.on"])
        #expect(table.isMissing(missing))
    }

    /// Fault: every batch pays for a statement that fails, or none finds a table that was made.
    @Test func whatIsMissingIsLeftAloneForAWhile() {
        let patient = table(triedAgainAfter: .seconds(300))
        let eager = table(triedAgainAfter: .zero)
        for table in [patient, eager] {
            #expect(table.mayBeThere)
            table.isMissing(missing)
        }
        #expect(!patient.mayBeThere)
        #expect(eager.mayBeThere)
        patient.isThere()
        #expect(patient.mayBeThere)
    }

    /// Fault: an outage is taken for a table that is missing, and its rows count as none.
    @Test(arguments: [("42P01", true), ("42501", true), ("42703", false), ("", false)])
    func onlyATableOrAGrantThatIsMissingIsNoAnswer(sqlState: String, isNone: Bool) throws {
        let error = PostgresError(sqlState: sqlState, operation: "read", message: "")
        let read = { () throws(PostgresError) -> Int in throw error }
        if isNone {
            #expect(try OptionalTable.using(read) == nil)
        } else {
            #expect(throws: PostgresError.self) { try OptionalTable.using(read) }
        }
        #expect(try OptionalTable.using { () throws(PostgresError) in 1 } == 1)
    }
}
