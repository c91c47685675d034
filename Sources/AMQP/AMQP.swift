// AMQP: everything that touches librabbitmq. The consumer with its channel thread, the publisher of
// retries and dead letters, declaring and inspecting queues.
//
// It settles deliveries from the thread that owns their channel and from no other. It knows no SQL
// and no conversation.
