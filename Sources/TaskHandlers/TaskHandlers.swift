// TaskHandlers: what runs tasks outside the worker's own code. A service that is called over HTTP
// with a signed request, a receiver of callbacks, and a command of the worker's own file. What they
// are given and what they answer are users' data: no log and no error holds any of it, but for the
// error that a command reports itself, which is stored with its task.
