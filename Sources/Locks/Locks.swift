// Locks: leases with fencing tokens that clients hold by name. It knows no task; a lock's rows and
// their SQL are all there is.
