// TaskAPI: tasks over HTTP. Bodies are checked, tasks stored by shared commits, callers told apart
// by their tokens; every call that blocks is made on a thread that no event loop needs.
//
// It uses HTTPServing and the store of Tasks, and knows no broker: it gives what is to be published
// to a `TaskOutlet`. Payloads, results, notes and error texts go to the client of a task alone.
