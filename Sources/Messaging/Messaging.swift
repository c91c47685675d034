// Messaging: what a transport and a runtime say to each other. Messages, deliveries, outcomes and
// settlements; the names of queues and headers; the port each of the two fills for the other.
//
// It knows no broker, no thread and no conversation, and imports none of the other modules.
