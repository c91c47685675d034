// TaskScheduling: what brings tasks to the broker. The publisher sends what a process has just
// made, and sets the rows to rest on the confirm; the scheduler, one leader among all processes,
// looks five times a second at what is due, and each minute for messages that were lost. Payloads
// never reach the broker. All SQL is in Tasks and Schedules.
