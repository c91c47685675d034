import Foundation

/// Values of a JSON text that is put together by hand, where an encoder would take longer than all
/// the rest.
package enum JSONValue {
    /// With its quotes.
    package static func string(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy {
            $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
        }
        return isPlain ? "\"\(text)\"" : JSONEncoder.stored.certainText(text)
    }

    /// A whole number has no fraction: 10, not 10.0.
    ///
    /// - Parameter number: finite.
    package static func number(_ number: Double) -> String {
        Int(exactly: number).map { String($0) } ?? number.description
    }
}
