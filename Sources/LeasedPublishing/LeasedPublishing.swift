// LeasedPublishing: messages whose rows a process has leased are published with confirms, from the
// outbox of conversations as well as from the table of tasks. It bounds what is in hand, sends
// nothing once a lease is nearly over, leaves queues alone that are not there, and knows no SQL:
// what is done to the rows is told it by their module.
