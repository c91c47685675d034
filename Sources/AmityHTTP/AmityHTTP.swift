// AmityHTTP: the worker's HTTP server, its limits and access control, health, metrics, the API and
// the dashboard. The only module that touches Hummingbird.
//
// It is given an `OperatorService` and answers from it; it opens no connection of its own, and no
// answer has the text of a conversation.
