// Storage: the tables of Amity's own, step by step, and what makes and repairs them. It never
// alters a table that it did not make.
