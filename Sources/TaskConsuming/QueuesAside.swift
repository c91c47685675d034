import AMQP
import Concurrency

extension QueueSetConsumer {
    /// Tries to declare the queues that are left out and due, on a connection and a thread of its
    /// own: an answer that is a refusal closes a channel. The channel thread consumes from those
    /// that are there.
    func lookAtAside() {
        let due = aside.withLock { aside in
            let due = aside.filter { $0.value <= .now }.keys.sorted()
            for number in due { aside[number] = .now + Self.pauseForQueue }
            return due
        }
        if due.isEmpty { return }
        startThread(name: "amity-task-aside", stackBytes: Connection.stackBytes) {
            for number in due {
                let name = self.settings.queues[number]
                do throws(AMQPError) {
                    try self.settings.topology.ensure(
                        queuesNamed: [name],
                        at: self.settings.endpoint,
                        logger: self.logger
                    )
                    self.health.works(.taskConsumer, name)
                    self.aside.withLock { $0[number] = nil }
                } catch {
                    self.note(error, queue: name)
                }
            }
            self.bell.ring()
        }
    }
}
