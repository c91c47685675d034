// TaskTypes: what a type of task is, where it runs, by what and within which limits; the file that
// sets them and the rows that hold them.
