// Postgres: everything that touches libpq. Sessions, flights of statements in one round trip,
// SQLSTATEs, and the pool that threads lease sessions from.
//
// Its errors quote no values: parameters and rows are users' data.
