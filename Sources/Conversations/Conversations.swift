// Conversations: the handler of conversations. Events (rows and ids), Analysis (which numbers
// count), Faults (whose fault an error is), Store (the transaction and its SQL), Handling (the path
// of a batch).
//
// A folder uses only those before it.
