// Metering: the one table of metrics. Instruments, HELP lines and the article on metrics are made
// from it.
//
// Nothing measures under a name that is not in it.
