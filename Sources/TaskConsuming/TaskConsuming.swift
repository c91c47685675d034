// TaskConsuming: takes messages from several queues on one channel, each queue with a consumer and
// a prefetch of its own, so that the receiver can choose among them. For work that is guarded by a
// row: its messages are settled as soon as the row is claimed.
//
// Its thread alone touches its connection. It knows no task and no database.
