// Failpoints: places where a debug build dies on demand, for tests of crashes. Empty in a release
// build. Depends on no other module.
