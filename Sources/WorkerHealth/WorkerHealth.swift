// WorkerHealth: what a worker can tell of itself. Whether it is ready and if not, why; the problem
// of each link; what it has done.
//
// All its parts report here from their threads; the log, the registry, the pages and the metrics
// read it. It knows none of them.
