// API: what `amity api` serves to programs: the intake of finished conversations, health, metrics
// and its own description. Built on HTTPServing.
//
// It is given an `IntakeService` and answers from it; it opens no connection of its own. No answer
// and no line in the log has the text of a conversation.
