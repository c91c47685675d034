// Operations: what operators are shown. The registry of workers, the inspection of the queue with
// its alerts, statistics, explanations, the broker's management API.
//
// It writes only the workers' own rows and the monitor's, and what an operator asks for.
