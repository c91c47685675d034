/// What a passive declare tells of a queue.
package struct QueueDepth: Sendable, Equatable {
    /// Messages that wait; those that consumers hold are not among them.
    package var ready: Int
    package var consumers: Int

    package init(ready: Int, consumers: Int) {
        self.ready = ready
        self.consumers = consumers
    }
}
