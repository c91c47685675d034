// FriendshipScoring: the contract's rules. A log is read, turns are counted, points are added up,
// and a level is found.
//
// Pure. Its results must equal those of the replaced service, byte for byte.
