// Schedules: tasks that are made again and again, at the times of a cron expression in a time zone.
// Cron is pure and knows no clock: which instants these are, DST included. Store has the rows, and
// the tick: a schedule's task is made and its next time set in one transaction.
