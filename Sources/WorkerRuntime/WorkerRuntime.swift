// WorkerRuntime: the runtime of any kind of work. Inbox, dispatcher, retry policy, crash
// attribution, readiness, the health of links, and the consumer's state machines.
//
// It knows no broker, no database and no conversation: those are behind protocols.
