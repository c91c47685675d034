import Digests

/// What a service shows that reports on a run later. It names its run, so that the token of an
/// older run, which may still stand in the row, opens nothing.
package struct RunToken: Sendable {
    /// To be shown to the service only.
    package let text: String
    package let run: Int

    /// A new one.
    package init(run: Int) {
        self.run = run
        text = "\(run).\(Secret.random())"
    }

    /// As a service shows it.
    package init?(_ text: String) {
        guard let dot = text.firstIndex(of: "."), let run = Int(text[..<dot]), text.utf8.count < 200
        else { return nil }
        self.run = run
        self.text = text
    }

    /// What is stored of it.
    package var digest: [UInt8] { Digest.sha256(Array(text.utf8)) }
}

/// Random text that is hard to guess.
enum Secret {
    /// 256 bits.
    static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
        return bytes.hexadecimal
    }
}
