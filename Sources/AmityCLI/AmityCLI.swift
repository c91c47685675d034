// AmityCLI: the command line. Arguments in, text or JSON and an exit code out.
//
// It decides nothing that a test of another module could not reach.
