import CRabbitMQ
import Glibc

/// How connections are opened and logged in.
extension Connection {
    /// Tries every host once.
    package static func toAny(
        of endpoint: Endpoint,
        timeout: Duration = .seconds(10)
    ) throws(AMQPError) -> Connection {
        var attempt = 0
        while true {
            do throws(AMQPError) {
                return try Connection(to: endpoint, attempt: attempt, timeout: timeout)
            } catch {
                attempt += 1
                if attempt == endpoint.addresses.count { throw error }
            }
        }
    }

    /// The library's default; larger values only cost memory per connection.
    private static let frameMax: Int32 = 131_072

    /// On the thread that opens the connection.
    ///
    /// - Returns: seconds between heartbeats, as negotiated.
    static func logIn(
        _ handle: amqp_connection_state_t,
        to endpoint: Endpoint,
        at address: Endpoint.Address,
        _ timeout: Duration
    ) throws(AMQPError) -> Int {
        var limit = timeval(timeout)
        amqp_set_handshake_timeout(handle, &limit)
        var rpcLimit = timeval(rpcTimeout)
        amqp_set_rpc_timeout(handle, &rpcLimit)
        var arena = Arena()
        var properties = arena.table(clientProperties(of: endpoint))
        try AMQPError.check(
            amity_login_plain(
                handle,
                endpoint.virtualHost,
                frameMax,
                Int32(endpoint.heartbeatSeconds),
                &properties,
                endpoint.username,
                endpoint.password
            ),
            "log in as \(endpoint.username) to vhost \(endpoint.virtualHost) of \(address)"
        )
        bound(unacknowledged: amqp_get_sockfd(handle), by: 2 * endpoint.heartbeatSeconds)
        return Int(amqp_get_heartbeat(handle))
    }

    /// Without these the broker drops the consumer of a deleted queue without a word.
    private static func clientProperties(of endpoint: Endpoint) -> [(String, FieldValue)] {
        [
            ("product", .scalar(.string("amity"))),
            ("version", .scalar(.string(endpoint.productVersion))),
            ("connection_name", .scalar(.string(endpoint.connectionName))),
            (
                "capabilities",
                .table([
                    ("consumer_cancel_notify", .scalar(.bool(true))),
                    ("connection.blocked", .scalar(.bool(true))),
                    ("publisher_confirms", .scalar(.bool(true))),
                    ("authentication_failure_close", .scalar(.bool(true))),
                ])
            ),
        ]
    }

    /// The kernel gives up a link whose peer acknowledges nothing, so that a send cannot hang on
    /// it for the quarter of an hour that TCP would grant.
    private static func bound(unacknowledged descriptor: Int32, by seconds: Int) {
        var milliseconds = UInt32(seconds * 1000)
        _ = setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &milliseconds, 4)
    }
}

extension timeval {
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.init(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
    }
}
