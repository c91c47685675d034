// ConversationIntake: finished conversations that come over HTTP, as the replaced service took them
// at `POST /v1/conversations/end`. A body is checked (pure), its row is stored by a commit that
// many requests share, with its message in the outbox, and the message is published.
//
// It knows no HTTP: bytes in, a status and bytes out. No text of a conversation goes anywhere but
// into its row and the answer.
