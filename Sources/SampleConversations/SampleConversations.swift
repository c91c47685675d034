// SampleConversations makes up conversations for trials and benchmarks and inserts them. It touches
// the tables of the service and nothing else; no worker needs it.
