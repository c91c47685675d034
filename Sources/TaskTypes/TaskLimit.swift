/// How many tasks of a type, or of each key of it, may begin.
package struct TaskLimit: Sendable, Equatable {
    /// What has a limit of its own.
    package enum Key: Sendable, Equatable {
        case type
        case kb
        /// A member of the payload, by its names. A task that lacks it has no limit.
        case payload([String])

        package init?(_ text: String) {
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            switch (parts.first, parts.count) {
            case ("type", 1): self = .type
            case ("kb_id", 1): self = .kb
            case ("payload", 2...6) where !parts.contains(""):
                self = .payload(parts.dropFirst().map(String.init))
            case _: return nil
            }
        }

        package var text: String {
            switch self {
            case .type: "type"
            case .kb: "kb_id"
            case .payload(let names): (["payload"] + names).joined(separator: ".")
            }
        }
    }

    package var key = Key.type
    /// Starts a second; nil for any.
    package var rate: Double?
    /// Starts at once after a rest; goes with `rate`.
    package var burst: Int?
    /// Tasks that are on the broker or run at a time; nil for any.
    package var cap: Int?
    /// Whether a key's tasks run one after the other, in the order in which they were made.
    package var isStrict = false

    package init() {}

    package static let rates = 0.001...10_000.0
    package static let bursts = 1...100_000
    package static let caps = 1...10_000

    /// The scheduler lets tasks begin every 100 ms, and may be late; in seconds.
    package static let turns = 0.4

    /// The least burst that a rate can be used with.
    package static func leastBurst(for rate: Double) -> Int {
        max(1, Int((rate * turns).rounded(.up)))
    }
}
