import Foundation
import Postgres
import Testing

/// Single values by their place: a test's SQL stands on the line above.
extension Rows {
    func string(_ row: Int, _ column: Int) -> String? { value(row, column) { try $0.text() } }
    func data(_ row: Int, _ column: Int) -> Data? { value(row, column) { try $0.data() } }
    func integer(_ row: Int, _ column: Int) -> Int? { value(row, column) { try $0.integer() } }
    func double(_ row: Int, _ column: Int) -> Double? { value(row, column) { try $0.double() } }

    private func value<Value>(
        _ row: Int,
        _ column: Int,
        _ read: (inout RowReader) throws -> Value?
    ) -> Value? {
        if row >= count { return nil }
        do {
            var reader = self[row]
            reader.skip(column)
            return try read(&reader)
        } catch {
            Issue.record(error)
            return nil
        }
    }
}
