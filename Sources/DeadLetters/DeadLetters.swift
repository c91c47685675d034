// DeadLetters: the queue of dead letters and the table beside it. List, retry, purge, retention.
//
// Looking reads the table: a look into a quorum queue costs each message one delivery of its limit.
