// Documents: the built-in type `document_processing`. It reads a file below one folder, makes text
// of it, cuts that into chunks at sentences, has them embedded where a service is set, and stores
// them in the transaction that completes the task; and it searches in what is stored.
//
// It reads files below that folder only, and calls no service but the one for embeddings. What
// documents hold is users' data: none of it is in a log or an error.
