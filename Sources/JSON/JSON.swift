// JSON: a reader that checks JSON byte by byte without building a tree, and the encoders of all
// that is written.
