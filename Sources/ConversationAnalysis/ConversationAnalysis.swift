// ConversationAnalysis: questions, emotion and memories of a conversation, by rules in English and
// Vietnamese.
//
// Pure: no input but the conversation, no clock, no I/O.
