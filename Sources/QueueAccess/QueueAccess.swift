// QueueAccess goes through a queue from outside of the consumer: counts, looks at and takes out
// messages, each on a connection and a channel of its own. What is not taken out goes back to its
// place.
