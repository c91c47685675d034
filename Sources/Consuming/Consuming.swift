// Consuming: what a consumer decides. Its life, what of its channel is to be settled and by which
// frames, whether it is stalled or paused, when its prefetch is renewed, how long messages took.
//
// All but the switch, `Consumption`, is pure: no socket, clock or lock. AMQP performs what it says.
