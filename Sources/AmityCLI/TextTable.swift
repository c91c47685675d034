import SafeText

/// Rows of text in columns, for people. Foreign text in a cell cannot steer the terminal.
enum TextTable {
    /// Columns as wide as their widest cell; the last is not padded.
    static func lines(_ rows: [[String]]) -> [String] {
        let rows = rows.map { $0.map(\.printable) }
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { line($0, widths: widths) }
    }

    static func line(_ cells: [String], widths: [Int]) -> String {
        let padded = zip(cells, widths).enumerated().map { column, pair in
            let (cell, width) = (pair.0.printable, pair.1)
            if column == cells.count - 1 { return cell }
            return cell + String(repeating: " ", count: max(0, width - cell.count))
        }
        return padded.joined(separator: "  ")
    }
}
