// FlowOperations: what operators see and do of the flow of tasks: limits and pauses, schedules,
// batches with their dependencies, events as they come.
//
// It reads and writes by the stores of Tasks, TaskTypes and Schedules, on the sessions of the
// worker whose page asks; payloads, results and the bodies of events stay below. The layers of a
// batch (Batches) are pure.
