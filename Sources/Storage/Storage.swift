// Storage: the tables of Amity's own, step by step, what makes and repairs them, how work goes on
// where one of them is missing or the database is away, what its errors mean to health, and the
// lease of a queue. It never alters a table that it did not make.
