// Benchmark: `amity bench` and `amity tune`, which measure worker processes from outside, beside
// pgbench and a consumer without a database.
//
// It works on a queue and a schema of its own and removes both.
