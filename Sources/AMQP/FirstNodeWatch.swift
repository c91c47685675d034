import Concurrency
import Synchronization

/// Looks, while a session is open on a later node of its endpoint, whether the first one is back:
/// else all workers stay on the nodes that were restarted first.
package final class FirstNodeWatch: Sendable {
    private let endpoint: Endpoint
    private let queue: String
    private let bell: EventBell
    private let drain = DrainSignal()
    private let found = Atomic(false)

    /// Whether the first node has the queue, too.
    package var isBack: Bool { found.load(ordering: .acquiring) }

    /// - Parameters:
    ///   - attempt: the one that the open session came of.
    ///   - moves: how often this process has gone back before: one whose first node comes and goes
    ///     looks less often.
    ///   - bell: rung when it is back.
    /// - Returns: nil on the first node.
    package init?(
        for attempt: Int,
        at endpoint: Endpoint,
        queue: String,
        moves: Int,
        ringing bell: EventBell
    ) {
        if attempt % endpoint.addresses.count == 0 { return nil }
        self.endpoint = endpoint.named("\(endpoint.connectionName), looking").onlyFirst
        self.queue = queue
        self.bell = bell
        // Chosen: a node that restarts is back within seconds, and no work waits for this.
        let longest = Duration.seconds(30) * (1 << min(moves, 5))
        startThread(name: "amity-first-node", stackBytes: Connection.stackBytes) {
            // At random, so that workers do not move in step.
            while !self.drain.wait(for: longest * Double.random(in: 0.3...1)) {
                if self.hasQueue() { return self.tell() }
            }
        }
    }

    /// To be called when the session ends.
    package func end() { drain.raise() }

    /// A node that is cut off from the others lets clients in, and has no queue for them.
    private func hasQueue() -> Bool {
        do throws(AMQPError) {
            let connection = try Connection(to: endpoint, timeout: .seconds(5), until: drain)
            try connection.interruptibly(by: drain) { () throws(AMQPError) in
                try connection.openChannel()
                _ = try connection.depth(of: queue)
            }
            try connection.close(within: .milliseconds(500))
            return true
        } catch {
            return false  // Tried again; the open session is what is reported on.
        }
    }

    private func tell() {
        found.store(true, ordering: .releasing)
        bell.ring()
    }
}

extension Endpoint {
    /// Begins with one of its nodes at random, so that workers with the same settings spread over
    /// them. To be called once in a process.
    package mutating func beginAnywhere() {
        let first = Int.random(in: addresses.indices)
        addresses = Array(addresses[first...] + addresses[..<first])
    }

    fileprivate var onlyFirst: Endpoint {
        var copy = self
        copy.addresses.removeLast(addresses.count - 1)
        return copy
    }
}
