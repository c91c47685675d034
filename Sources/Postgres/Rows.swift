import CPostgres
import Foundation

/// The rows one statement answered. Owns libpq's result; not Sendable, so it stays with its thread.
package final class Rows {
    fileprivate let result: OpaquePointer
    /// For errors.
    fileprivate let statement: String
    fileprivate let columns: Int32
    package let count: Int

    init(owning result: OpaquePointer, of statement: String) {
        self.result = result
        self.statement = statement
        columns = PQnfields(result)
        count = Int(PQntuples(result))
    }

    deinit { PQclear(result) }

    package subscript(row: Int) -> RowReader {
        precondition((0..<count).contains(row))
        return RowReader(self, Int32(row))
    }

    /// - Parameter read: reads one row; stands beside the statement.
    package func map<Value, E>(
        _ read: (inout RowReader) throws(E) -> Value
    ) throws(E) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(count)
        try forEach { row throws(E) in values.append(try read(&row)) }
        return values
    }

    package func forEach<E>(_ read: (inout RowReader) throws(E) -> Void) throws(E) {
        for row in 0..<count {
            var reader = self[row]
            try read(&reader)
        }
    }

    /// - Returns: nil also where there is no row.
    package func first<Value, E>(
        _ read: (inout RowReader) throws(E) -> Value?
    ) throws(E) -> Value? {
        if count == 0 { return nil }
        var reader = self[0]
        return try read(&reader)
    }
}

/// Reads the columns of one row one after the other, as the list of its statement has them: so the
/// statement and its reader, which stand side by side, need no numbers of columns.
///
/// nil is SQL's NULL.
package struct RowReader {
    private let rows: Rows
    private let row: Int32
    /// The next.
    private var column: Int32 = 0

    fileprivate init(_ rows: Rows, _ row: Int32) {
        self.rows = rows
        self.row = row
    }

    package mutating func text() throws(PostgresError) -> String? {
        try bytes().map { String(decoding: $0, as: UTF8.self) }
    }

    package mutating func data() throws(PostgresError) -> Data? {
        try bytes().map { Data($0) }
    }

    package mutating func integer() throws(PostgresError) -> Int? {
        guard let text = try text() else { return nil }
        guard let value = Int(text) else { throw unfit("no integer") }
        return value
    }

    package mutating func double() throws(PostgresError) -> Double? {
        guard let text = try text() else { return nil }
        guard let value = Double(text) else { throw unfit("no number") }
        return value
    }

    package mutating func bool() throws(PostgresError) -> Bool? {
        switch try text() {
        case nil: return nil
        case "t": return true
        case "f": return false
        case _: throw unfit("neither true nor false")
        }
    }

    /// Of one dimension.
    package mutating func textArray() throws(PostgresError) -> [String?]? {
        guard let bytes = try bytes() else { return nil }
        guard let elements = ArrayText.elements(of: bytes) else { throw unfit("no array") }
        return elements
    }

    package mutating func skip(_ count: Int = 1) { column += Int32(count) }

    /// What was read last. The value itself is quoted nowhere.
    private func unfit(_ what: String) -> PostgresError {
        PostgresError(
            sqlState: "42804",
            operation: rows.statement,
            message: "column \(column) is \(what)",
            place: .init(column: PQfname(rows.result, column - 1).map { String(cString: $0) })
        )
    }

    private mutating func bytes() throws(PostgresError) -> UnsafeRawBufferPointer? {
        guard column < rows.columns else {
            throw PostgresError(
                sqlState: "42P10",
                operation: rows.statement,
                message: "column \(column + 1) was to be read, and there are \(rows.columns)"
            )
        }
        defer { column += 1 }
        if PQgetisnull(rows.result, row, column) != 0 { return nil }
        return UnsafeRawBufferPointer(
            start: PQgetvalue(rows.result, row, column),
            count: Int(PQgetlength(rows.result, row, column))
        )
    }
}
