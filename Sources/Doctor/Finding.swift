/// One observation, and what to do about it, in one line. Safe to show.
package struct Finding: Sendable, Equatable, Encodable {
    package enum Level: String, Sendable, CaseIterable, Encodable {
        /// Looked at, and fine.
        case ok
        /// Nothing is wrong; it may explain what is seen, or cannot be known.
        case note
        /// It works, and will hurt.
        case warning
        /// Messages are not scored, or get lost.
        case error
    }

    /// Who says so.
    package enum Source: String, Sendable, Encodable {
        case settings, host, database, service
        case amqp = "AMQP"
        case management = "management API"
    }

    package let level: Level
    package let text: String
    package let source: Source

    static func ok(_ text: String, by source: Source) -> Finding {
        Finding(level: .ok, text: text, source: source)
    }

    static func note(_ text: String, by source: Source) -> Finding {
        Finding(level: .note, text: text, source: source)
    }

    static func warning(_ text: String, by source: Source) -> Finding {
        Finding(level: .warning, text: text, source: source)
    }

    static func error(_ text: String, by source: Source) -> Finding {
        Finding(level: .error, text: text, source: source)
    }
}

/// What the doctor has to say.
package struct Diagnosis: Sendable, Encodable {
    package struct Entry: Sendable, Encodable {
        /// The check's name; never changes.
        package let check: String
        package let finding: Finding

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(check, forKey: .check)
            try finding.encode(to: encoder)
        }

        private enum CodingKeys: CodingKey { case check }
    }

    package let findings: [Entry]

    /// - Parameter findings: in the order of the checks. The worst come first, so that a long
    ///   report cannot hide them.
    package init(findings: [Entry]) {
        self.findings = Finding.Level.allCases.reversed().flatMap { level in
            findings.filter { $0.finding.level == level }
        }
    }

    /// Whether a worker cannot do its work.
    package var hasErrors: Bool { count(.error) > 0 }

    package func count(_ level: Finding.Level) -> Int {
        findings.count { $0.finding.level == level }
    }
}
