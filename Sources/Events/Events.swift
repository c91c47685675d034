// Events: what happens to tasks and friendships, told to other programs over a topic exchange.
// Rows of the outbox, written in the transactions that they tell of by a trigger (see Storage) and
// by Conversations, are sent by the process that leads. It makes no event itself, and knows of
// their content no more than the headers.
