import Messaging

/// Records, outside of the process, which messages a worker was running when it died, so that the
/// message that kills its worker can be told from the others and quarantined.
///
/// Only messages that the broker delivers again are recorded, so a message that is handled the
/// first time costs nothing:
///
/// - A worker dies. The broker delivers all its unsettled messages again, the one that killed it
///   among them.
/// - Batches of such messages are recorded before they run. After the next death the record names
///   one batch for each thread: the suspects.
/// - A suspect runs alone, with nothing beside it in its process, and its crash is charged to it
///   before it runs. If it survives, that is taken back.
/// - One that has died alone too often is quarantined: dead-lettered without being run.
///
/// A kill from outside makes suspects, too; the only effect is that they run alone once, a little
/// slower.
package protocol CrashLedger: Sendable {
    /// Writes down that this thread is about to run these messages.
    ///
    /// - Returns: for each of them how it is to be run; nil when a drain came first.
    func take(_ keys: [MessageKey], in context: HandlerContext) -> [CrashRecord]?

    /// Writes down that this thread has nothing in hand any more.
    func release(in context: HandlerContext)

    /// Charges a suspect with the crash that its run may become.
    ///
    /// - Parameter crashes: its count, this one included.
    /// - Returns: false when a drain came first.
    func charge(_ key: MessageKey, crashes: Int, in context: HandlerContext) -> Bool

    /// Takes the charge back: it survived. Tries for a moment also while the worker drains.
    ///
    /// - Parameter crashes: its count without this run.
    /// - Returns: false when the charge stands, because the database is away.
    func acquit(_ key: MessageKey, crashes: Int, in context: HandlerContext) -> Bool
}

/// What is known of a message that is delivered again.
package enum CrashRecord: Sendable, Equatable {
    /// Nothing speaks against it.
    case clear
    /// A worker died with it in hand. It has died alone `crashes` times before.
    case suspect(crashes: Int)
}

/// Tells a message from others by what it says, whatever its copies look like: the same body of the
/// same type has the same key, until an operator replays it.
package struct MessageKey: Hashable, Sendable, CustomStringConvertible {
    private let hash: UInt64

    package init(_ message: Message) {
        // FNV-1a, 64 bits; its constants are the algorithm's own. Swift's hasher is seeded anew in
        // every process.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        for byte in (message.properties.type ?? "").utf8 { add(byte) }
        add(0)
        for byte in RetryPolicy.lives(of: message).utf8 { add(byte) }
        add(0)
        for byte in message.body { add(byte) }
        self.hash = hash
    }

    package var description: String { String(hash, radix: 16) }
}

extension Failure {
    static func crash(times: Int) -> Failure {
        Failure(
            code: "WORKER_CRASHED",
            reason: """
                the worker died \(times) times with this message alone in hand; \
                it is not run again
                """
        )
    }
}
