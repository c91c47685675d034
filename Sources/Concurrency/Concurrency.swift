// Concurrency: what threads wait with and speak through. Locks, monotonic waits, named threads, the
// drain signal, mailboxes with their bells, backoff, chores at an interval, and the pulse that the
// watchdog reads.
//
// It knows nothing of messages, databases or brokers, and may import none of the other modules but
// CLinux. All waits are on the monotonic clock: a clock that is set back must not stretch them.
