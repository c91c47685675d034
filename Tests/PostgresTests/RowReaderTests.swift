import CPostgres
import Foundation
import Testing

@testable import Postgres

/// Answers as libpq holds them, made without a server.
struct RowReaderTests {
    private func rows(_ names: [String], _ values: [[String?]]) throws -> Rows {
        let result = try #require(PQmakeEmptyPGresult(nil, PGRES_TUPLES_OK))
        let copies = names.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        var columns = copies.map { name in
            var column = PGresAttDesc()
            column.name = name
            return column
        }
        try #require(PQsetResultAttrs(result, Int32(names.count), &columns) == 1)
        for (row, line) in values.enumerated() {
            for (column, value) in line.enumerated() {
                var bytes = Array((value ?? "").utf8CString)
                let length = value.map { Int32($0.utf8.count) } ?? -1
                let isSet = PQsetvalue(result, Int32(row), Int32(column), &bytes, length)
                try #require(isSet == 1)
            }
        }
        return Rows(owning: result, of: "read_children")
    }

    /// Fault: a column that is put between two others moves every number behind it by one.
    @Test func columnsComeInTheirOrderWithTheirTypes() throws {
        let names = ["name", "age", "score", "talks", "log", "gone"]
        let rows = try rows(
            names,
            [
                ["Anna", "7", "1.5", "t", "{}", nil], ["Bo", "-1", "NaN", "f", "", "x"],
                [nil, nil, nil, nil, nil, nil],
            ]
        )
        let read = try rows.map { row in
            (
                try row.text(), try row.integer(), try row.double(), try row.bool(),
                try row.data(), try row.text()
            )
        }
        #expect(read[0] == ("Anna", 7, 1.5, true, Data("{}".utf8), nil))
        #expect(read[1].1 == -1 && read[1].2?.isNaN == true && read[1].3 == false)
        #expect(read[1].4 == Data() && read[1].5 == "x")
        #expect(read[2] == (nil, nil, nil, nil, nil, nil))
    }

    /// Fault: a reader that does not fit its statement any more reads NULL, and a worker that goes
    /// on with it writes wrong scores. The error quotes no value.
    @Test func whatDoesNotFitSaysWhichStatementAndColumn() throws {
        let rows = try rows(["name", "age"], [["Anna", "seven, a secret"]])
        func failure(_ read: (inout RowReader) throws(PostgresError) -> Void) -> PostgresError? {
            var row = rows[0]
            do throws(PostgresError) {
                try read(&row)
                return nil
            } catch { return error }
        }
        let integer = failure { row throws(PostgresError) in
            row.skip()
            _ = try row.integer()
        }
        #expect(
            integer?.description
                == "read_children: SQLSTATE 42804: column 2 is no integer (column age)"
        )
        let double = failure { row throws(PostgresError) in _ = try row.double() }
        #expect(
            double?.description
                == "read_children: SQLSTATE 42804: column 1 is no number (column name)"
        )
        let bool = failure { row throws(PostgresError) in _ = try row.bool() }
        #expect(bool?.description.contains("column 1 is neither true nor false") == true)
        let past = failure { row throws(PostgresError) in
            row.skip(2)
            _ = try row.text()
        }
        #expect(
            past?.description
                == "read_children: SQLSTATE 42P10: column 3 was to be read, and there are 2"
        )
        for error in [integer, double, bool, past] {
            #expect(error?.endsSession == false)
            #expect(error?.description.contains("secret") == false)
        }
    }

    @Test func theFirstIsNilWhereThereIsNone() throws {
        let none = try rows(["name"], []).first { try $0.text() }
        #expect(none == nil)
        let one = try rows(["name"], [["Anna"], ["Bo"]]).first { try $0.text() }
        #expect(one == "Anna")
    }
}
