// ConversationPublishing: the messages about conversations that Amity itself sends, published by
// hand and by the sweep. Knows rows by their ids and states, and nothing of what was said.
