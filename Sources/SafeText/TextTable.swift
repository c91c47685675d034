/// Rows of text in columns, for people. Foreign text in a cell cannot steer the terminal.
package enum TextTable {
    /// Where the cells of all columns but the first stand.
    package enum Alignment: Sendable {
        /// For text: on the left; the last column is not padded.
        case left
        /// For figures.
        case right
    }

    /// Columns as wide as their widest cell. Rows may differ in length.
    package static func lines(_ rows: [[String]], _ alignment: Alignment = .left) -> [String] {
        let rows = rows.map { $0.map(\.printable) }
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { line($0, widths: widths, alignment) }
    }

    /// - Parameter widths: of each column, in characters; a longer cell moves those after it.
    package static func line(
        _ cells: [String],
        widths: [Int],
        _ alignment: Alignment = .left
    ) -> String {
        let padded = zip(cells, widths).enumerated().map { column, pair in
            let (cell, width) = (pair.0.printable, pair.1)
            let gap = String(repeating: " ", count: max(0, width - cell.count))
            if alignment == .right, column > 0 { return gap + cell }
            return alignment == .left && column == cells.count - 1 ? cell : cell + gap
        }
        return padded.joined(separator: "  ")
    }
}
