// Daemon: the composition of a worker. Makes its parts from the settings, starts them in order, and
// stops them in the opposite one; speaks with the service manager.
//
// It has no rule of its own about messages: those are in the modules that it puts together.
