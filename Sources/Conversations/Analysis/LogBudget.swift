import Synchronization

/// Bounds what the logs of a batch take: the larger the logs are, the fewer conversations make a
/// batch. How large they are is known by those of before, so the first large ones are read as they
/// come.
final class LogBudget: Sendable {
    /// Chosen: a batch of 128 with logs of 128 KiB, several times what a long conversation takes.
    static let bytes = 16 << 20

    private let largest = Atomic(0)

    /// How many conversations a batch may have, at least 1.
    var batchLimit: Int { max(1, Self.bytes / max(1, largest.load(ordering: .relaxed))) }

    func met(logOf bytes: Int) {
        _ = largest.max(bytes, ordering: .relaxed)
    }

    /// Forgets the largest by an eighth, so that a single one makes small batches for a moment
    /// only.
    func beginBatch() {
        let bytes = largest.load(ordering: .relaxed)
        if bytes > 0 { largest.store(bytes - (bytes + 7) / 8, ordering: .relaxed) }
    }
}
