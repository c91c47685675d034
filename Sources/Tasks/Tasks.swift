// Tasks: the life of a task as a pure state machine (Life), the types of tasks (Types), tokens and
// their scopes (Access), and all SQL on the tables of tasks (Store). The row is the truth: every
// change is one statement that names the state and the run it expects. It opens no socket but
// PostgreSQL's, and knows no broker and no HTTP. Payloads, results and notes are users' data:
// no error, log or metric quotes them.
