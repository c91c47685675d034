import CRabbitMQ
import Concurrency
import Glibc

/// Opens and logs in one connection on a thread of its own, so that its owner can give up at any
/// moment: neither the resolver nor the library's connect and login can be interrupted.
final class Opening: Sendable {
    // `@unchecked` because the handle is a C pointer: it is used by the opening thread alone until
    // it is in `state`, and by the owner alone from when it has been taken out of there.
    struct Opened: @unchecked Sendable {
        let handle: amqp_connection_state_t
        /// Seconds, as negotiated.
        let heartbeatSeconds: Int
    }

    private enum State: Sendable {
        case underWay
        case over(Result<Opened, AMQPError>)
        /// Its owner has gone: what is opened yet is closed by the opening thread.
        case givenUp
    }

    private let condition: DrainSignal
    private let state = Locked(State.underWay)

    private init(_ condition: DrainSignal) {
        self.condition = condition
    }

    /// - Parameters:
    ///   - timeout: upper bound on finding the host, on each address it has, and on the handshake.
    ///   - drain: ends the wait when it is raised.
    static func open(
        _ endpoint: Endpoint,
        at address: Endpoint.Address,
        timeout: Duration,
        until drain: DrainSignal
    ) throws(AMQPError) -> Opened {
        let opening = Opening(drain)
        startThread(name: "amity-connect", stackBytes: Connection.stackBytes) {
            opening.run(endpoint, address, timeout)
        }
        _ = drain.wait(atMost: limit(timeout)) { opening.isOver }
        return try opening.take(during: "connect to \(address)", isDraining: drain.isRaised)
    }

    /// More than all steps together may take.
    private static func limit(_ timeout: Duration) -> Duration {
        timeout * (Resolver.limit + 2) + .seconds(5)
    }

    private var isOver: Bool {
        state.withLock { if case .underWay = $0 { false } else { true } }
    }
    private var isGivenUp: Bool {
        state.withLock { if case .givenUp = $0 { true } else { false } }
    }

    private func take(during operation: String, isDraining: Bool) throws(AMQPError) -> Opened {
        let result: Result<Opened, AMQPError> = state.withLock { state in
            if case .over(let result) = state { return result }
            state = .givenUp
            return .failure(
                isDraining ? .interrupted(during: operation) : .unresponsive(during: operation)
            )
        }
        return try result.get()
    }

    // MARK: The opening thread

    private func run(_ endpoint: Endpoint, _ address: Endpoint.Address, _ timeout: Duration) {
        let result: Result<Opened, AMQPError>
        do throws(AMQPError) {
            result = .success(try connect(to: endpoint, at: address, timeout))
        } catch {
            result = .failure(error)
        }
        let isWanted = state.withLock { state in
            if case .givenUp = state { return false }
            state = .over(result)
            return true
        }
        if !isWanted, case .success(let opened) = result { amqp_destroy_connection(opened.handle) }
        condition.wake()
    }

    private func connect(
        to endpoint: Endpoint,
        at address: Endpoint.Address,
        _ timeout: Duration
    ) throws(AMQPError) -> Opened {
        guard let handle = amqp_new_connection() else {
            throw .library(status: AMQP_STATUS_NO_MEMORY.rawValue, during: "connect")
        }
        do throws(AMQPError) {
            if let security = endpoint.security {
                try connect(handle, to: address, security, timeout)
            } else {
                try connect(handle, to: address, timeout)
            }
            let heartbeat = try Connection.logIn(handle, to: endpoint, at: address, timeout)
            return Opened(handle: handle, heartbeatSeconds: heartbeat)
        } catch {
            amqp_destroy_connection(handle)
            throw error.naming(passwordOf: endpoint)
        }
    }

    /// Walks the addresses of the host, so that one that is silent does not hide the next.
    private func walk(
        _ address: Endpoint.Address,
        _ timeout: Duration,
        _ tryOne: (String) throws(AMQPError) -> Void
    ) throws(AMQPError) {
        var failure = AMQPError.unresolved(host: address.host, reason: "it has no address")
        for numeric in try Resolver.addresses(of: address.host, within: timeout) {
            if isGivenUp { throw .interrupted(during: "connect to \(address)") }
            do throws(AMQPError) { return try tryOne(numeric) } catch { failure = error }
        }
        throw failure
    }

    private func connect(
        _ handle: amqp_connection_state_t,
        to address: Endpoint.Address,
        _ timeout: Duration
    ) throws(AMQPError) {
        guard let socket = amqp_tcp_socket_new(handle) else {
            throw .library(status: AMQP_STATUS_NO_MEMORY.rawValue, during: "connect")
        }
        try walk(address, timeout) { numeric throws(AMQPError) in
            do throws(TCPFailure) {
                amqp_tcp_socket_set_sockfd(
                    socket,
                    try connectTCP(to: numeric, address.port, within: timeout)
                )
            } catch { throw .system(code: error.code, during: "connect to \(address)") }
        }
    }

    private func connect(
        _ handle: amqp_connection_state_t,
        to address: Endpoint.Address,
        _ security: TransportSecurity,
        _ timeout: Duration
    ) throws(AMQPError) {
        guard let socket = amqp_ssl_socket_new(handle) else {
            throw .library(status: AMQP_STATUS_NO_MEMORY.rawValue, during: "connect")
        }
        let handshake = try Handshake(through: socket, as: security, with: address)
        defer { handshake.end() }
        try walk(address, timeout) { numeric throws(AMQPError) in
            var limit = timeval(timeout)
            let status = amqp_socket_open_noblock(socket, numeric, Int32(address.port), &limit)
            if status == AMQP_STATUS_OK.rawValue { return }
            // The library does not tell what the system said, so the system is asked once more.
            if status == AMQP_STATUS_SOCKET_ERROR.rawValue {
                do throws(TCPFailure) {
                    close(try connectTCP(to: numeric, address.port, within: timeout))
                } catch { throw .system(code: error.code, during: "connect to \(address)") }
            }
            throw .failure(status, during: "connect to \(address)", handshake)
        }
    }
}

/// The errno of a connection that could not be made.
struct TCPFailure: Error {
    let code: Int32
}

/// Connects to a numeric address, with the options that the library sets itself.
///
/// - Returns: a descriptor that does not block.
func connectTCP(
    to numeric: String,
    _ port: UInt16,
    within patience: Duration
) throws(TCPFailure) -> Int32 {
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(numeric, "\(port)", &hints, &list) == 0, let list else {
        throw TCPFailure(code: EADDRNOTAVAIL)
    }
    defer { freeaddrinfo(list) }
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = socket(list.pointee.ai_family, type, 0)
    if descriptor < 0 { throw TCPFailure(code: errno) }
    var yes: Int32 = 1
    _ = setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, 4)
    _ = setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &yes, 4)
    if connect(descriptor, list.pointee.ai_addr, list.pointee.ai_addrlen) == 0 {
        return descriptor
    }
    var code = errno
    if code == EINPROGRESS { code = result(of: descriptor, within: patience) }
    if code == 0 { return descriptor }
    close(descriptor)
    throw TCPFailure(code: code)
}

/// Waits for the end of a connect.
///
/// - Returns: its errno, 0 when it is connected.
private func result(of descriptor: Int32, within patience: Duration) -> Int32 {
    let deadline = ContinuousClock.now + patience
    while true {
        let rest = ContinuousClock.now.duration(to: deadline)
        if rest <= .zero { return ETIMEDOUT }
        var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        let count = Glibc.poll(&poll, 1, Int32(clamping: Int64(rest / .milliseconds(1)) + 1))
        if count < 0, errno != EINTR { return errno }
        if count > 0 { break }
    }
    var code: Int32 = 0
    var length = socklen_t(4)
    if getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) != 0 { return errno }
    return code
}
