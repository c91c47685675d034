// OperatorPages: what a worker tells over HTTP: whether it lives, whether it is ready, its metrics,
// the operators' API and the dashboard.
//
// It is given an `OperatorService` and answers from it. No handle of the broker or the database
// comes here, nothing here runs on a thread of the consumer's, and no answer has the text of a
// conversation.
