/// Something that may move a task. What a kind does not need stays at its default.
package struct TaskEvent: Sendable {
    package enum Kind: Int, CaseIterable, Sendable {
        /// The scheduler leases what is to be published, for the first time or again.
        case due
        /// The broker has confirmed the message.
        case published
        /// A worker has no handler of this type.
        case unhandled
        /// The message is not in its queue any more, as far as counts tell.
        case missing
        case claimed
        case succeeded
        case failed
        /// Not now: no attempt.
        case snoozed
        /// A service reports later: the run has no worker any more.
        case handedOver
        /// A service that reports later has reported progress.
        case progressed
        /// The handler has stopped as it was asked to.
        case stopped
        /// By its worker: drained, or not to be found there.
        case givenBack
        /// By the scheduler: its worker has fallen silent.
        case lost
        /// By the scheduler: a service that was to report has not.
        case timedOut
        case deadlinePassed
        /// A task that it needs may have ended.
        case woken
        /// By the scheduler: at what it needs.
        case looked
        case cancelAsked
        case retriedByHand
        case priorityChanged
    }

    /// What a look at the tasks that one needs has shown.
    package enum Needs: CaseIterable, Sendable {
        case unmet, met
        /// One has not succeeded though it had to.
        case failed
    }

    package let kind: Kind
    /// The fence: the run that the sender knows.
    package var run = 0
    package var worker = 0
    /// The `due_at` that the publishing process has set: the token of its lease.
    package var lease = 0
    /// In milliseconds: until the next run, or of a timeout.
    package var delay = 0
    /// Whether a failed run is worth another.
    package var retries = true
    package var needs = Needs.met
    /// Whether the lost worker ran nothing else.
    package var isAlone = false
    /// Whether the handler runs where the worker does, so that it can end it: in its process, or as
    /// a command, by the memory that it takes.
    package var isOnHost = true

    package init(_ kind: Kind, run: Int = 0, worker: Int = 0, lease: Int = 0, delay: Int = 0) {
        self.kind = kind
        self.run = run
        self.worker = worker
        self.lease = lease
        self.delay = delay
    }
}
