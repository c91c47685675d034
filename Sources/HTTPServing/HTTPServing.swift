// HTTPServing: an HTTP server, its limits and access control, and what is the same for all routes:
// common headers, JSON answers, problems, bounded bodies. It uses Hummingbird.
//
// It is given its routes and its options. It knows nothing of workers, pages or conversations, and
// several servers of a process share no state.
