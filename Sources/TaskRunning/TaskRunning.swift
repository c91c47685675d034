// TaskRunning: how a worker runs tasks. It claims what its task queues deliver, has the message
// settled at once, gives the run to the handler of its type, and writes down how it ended; renews
// the worker's lease, writes progress, stops what was cancelled, is late or is no longer its own.
//
// A handler of tasks is a `RunHandler`; which there are is for its callers. It reaches PostgreSQL
// through `TaskStore` alone, and the broker only through the ports of Messaging. Payloads, results
// and the texts of errors are users' data: none of them is in a log.
