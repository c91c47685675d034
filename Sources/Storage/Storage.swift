// Storage: the tables of Amity's own, step by step, what makes and repairs them, and the lease of a
// queue. It never alters a table that it did not make.
