import Concurrency
import Foundation
import Glibc
import Testing

/// A TCP proxy on a loopback port: the network between the worker and a server, for a test to
/// break.
///
/// Data that the proxy has taken and not passed on looks to its sender like data that the network
/// lost: the kernel accepts it, no peer answers it, and the connection stays open.
final class Proxy {
    enum Direction: CaseIterable, Sendable {
        case toServer, toClient
    }

    /// The server's port.
    let target: UInt16
    /// The port to connect to instead.
    let port: UInt16
    private let listener: Int32
    private let network = Network()

    init(to target: UInt16) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        try #require(listener >= 0)
        var bound = loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withSocketAddress(&bound) { _ = bind(listener, $0, length) }
        try #require(listen(listener, 64) == 0)
        withSocketAddress(&bound) { _ = getsockname(listener, $0, &length) }
        self.target = target
        self.listener = listener
        port = UInt16(bigEndian: bound.sin_port)
        let network = network
        startThread(name: "proxy-accept", stackBytes: 1 << 19) {
            while true {
                let client = accept(listener, nil, nil)
                if client < 0 { break }
                network.join(client, to: target)
            }
            close(listener)
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        network.change { $0 = Faults(refuses: true) }
        network.dropAll()
    }

    /// An endpoint of the worker's environment, with this proxy in its place.
    func rerouted(_ url: String) -> String {
        url.replacing("@127.0.0.1:\(target)/", with: "@127.0.0.1:\(port)/")
    }

    // MARK: Faults

    /// Ends all faults. What was held back goes on.
    func endFaults() { network.change { $0 = Faults() } }

    /// Closes every connection.
    func dropAll() { network.dropAll() }

    /// Closes every new connection at once.
    func refuse() { network.change { $0.refuses = true } }

    /// Holds back whatever goes in these directions, also on connections to come.
    func stall(_ directions: Set<Direction>) { network.change { $0.stalled = directions } }

    func slowDown(toBytesPerSecond rate: Int) { network.change { $0.rate = rate } }

    /// Passes so many bytes more to the client, then closes their connection in the middle of
    /// whatever it is. Once.
    ///
    /// - Parameter name: only connections on which the client has sent this text near their begin,
    ///   such as its name; nil for any connection.
    func cut(afterBytesToClient count: Int, ofClientsThatSay name: String? = nil) {
        network.change {
            $0.bytesToCut = count
            $0.clientToCut = name.map { Array($0.utf8) }
        }
    }

    /// On the connection on which a client sends `pattern`, that part of the stream and whatever
    /// follows in `direction` is lost. Other connections go on.
    func lose(_ direction: Direction, onceAClientSends pattern: [UInt8]) {
        network.change { $0.losing = (direction, pattern) }
    }

    // MARK: What has happened

    /// Connections so far.
    var accepted: Int { network.tally.accepted }
    /// Connections cut by `cut`.
    var cuts: Int { network.tally.cuts }
    /// Bytes that `lose` has swallowed.
    var lost: Int { network.tally.lost }
    /// Pieces held back at the moment by `stall`.
    var held: Int { network.tally.held }
}

private struct Faults: Sendable {
    var refuses = false
    var stalled: Set<Proxy.Direction> = []
    var rate: Int?
    var bytesToCut: Int?
    var clientToCut: [UInt8]?
    var losing: (direction: Proxy.Direction, pattern: [UInt8])?
}

private struct Tally: Sendable {
    var accepted = 0
    var cuts = 0
    var lost = 0
    var held = 0
}

/// Shared by the test's thread and the proxy's: all of it under the condition's lock.
private final class Network: @unchecked Sendable {
    private let condition = NSCondition()
    private var faults = Faults()
    private var links: [Link] = []
    private var tallied = Tally()

    var tally: Tally { condition.withLock { tallied } }

    func change(_ body: (inout Faults) -> Void) {
        condition.withLock {
            body(&faults)
            condition.broadcast()
        }
    }

    func dropAll() {
        condition.withLock {
            for link in links { link.hangUp() }
            condition.broadcast()
        }
    }

    func join(_ client: Int32, to port: UInt16) {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = loopback(port: port)
        let isConnected = withSocketAddress(&address) {
            connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
        let link = Link(client: client, server: server)
        condition.withLock {
            tallied.accepted += 1
            if faults.refuses || !isConnected { return link.hangUp() }
            links.append(link)
            for direction in Proxy.Direction.allCases {
                startThread(name: "proxy", stackBytes: 1 << 19) { self.pump(link, direction) }
            }
        }
    }

    /// Passes on one direction of one connection until its end.
    private func pump(_ link: Link, _ direction: Proxy.Direction) {
        let (source, sink) = link.ends(direction)
        // Small, so that a slow link passes on little by little and not in bursts.
        var buffer = [UInt8](repeating: 0, count: 1024)
        while true {
            let count = recv(source, &buffer, buffer.count, 0)
            if count <= 0 { break }
            guard let passed = admit(buffer.prefix(count), on: link, direction) else { break }
            if !sendAll(passed, to: sink) { break }
        }
        // The end of the stream travels through a stalled network no faster than its bytes.
        condition.withLock {
            while faults.stalled.contains(direction), !link.isHungUp { condition.wait() }
            shutdown(sink, Int32(SHUT_WR))
            link.openDirections -= 1
            if link.openDirections == 0 { links.removeAll { $0 === link } }
        }
    }

    /// What of a piece goes on, once it may; nil when its connection is over.
    private func admit(
        _ piece: ArraySlice<UInt8>,
        on link: Link,
        _ direction: Proxy.Direction
    ) -> ArraySlice<UInt8>? {
        condition.withLock {
            if faults.stalled.contains(direction) {
                tallied.held += 1
                while faults.stalled.contains(direction), !link.isHungUp { condition.wait() }
                tallied.held -= 1
            }
            if let rate = faults.rate {
                let due = Date(timeIntervalSinceNow: Double(piece.count) / Double(rate))
                while faults.rate != nil, !link.isHungUp, condition.wait(until: due) {}
            }
            if link.isHungUp { return nil }
            if let (lossy, pattern) = faults.losing {
                if direction == .toServer, link.clientSends(piece, holding: pattern) {
                    link.lossy = lossy
                    faults.losing = nil
                }
            }
            if link.lossy == direction {
                tallied.lost += piece.count
                return []
            }
            if direction == .toServer { link.note(piece) }
            if direction == .toClient, let count = faults.bytesToCut,
                faults.clientToCut.map(link.hasClientSaid) ?? true
            {
                faults.bytesToCut = count > piece.count ? count - piece.count : nil
                if count <= piece.count {
                    tallied.cuts += 1
                    _ = sendAll(piece.prefix(count), to: link.ends(direction).sink)
                    link.hangUp()
                    return nil
                }
            }
            return piece
        }
    }
}

/// Two connected sockets, closed when the last thread is done with them. Used under the network's
/// lock, but for the sockets, which the kernel guards.
private final class Link: @unchecked Sendable {
    private let client: Int32
    private let server: Int32
    private(set) var isHungUp = false
    var openDirections = Proxy.Direction.allCases.count
    var lossy: Proxy.Direction?
    /// The end of what the client has sent, for a pattern that comes in two pieces.
    private var tail: [UInt8] = []

    init(client: Int32, server: Int32) {
        (self.client, self.server) = (client, server)
        var yes: Int32 = 1
        for descriptor in [client, server] {
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, 4)
        }
    }

    deinit {
        close(client)
        close(server)
    }

    func ends(_ direction: Proxy.Direction) -> (source: Int32, sink: Int32) {
        direction == .toServer ? (client, server) : (server, client)
    }

    func hangUp() {
        isHungUp = true
        shutdown(client, Int32(SHUT_RDWR))
        shutdown(server, Int32(SHUT_RDWR))
    }

    /// The first the client has sent: who it is.
    private var head: [UInt8] = []

    func note(_ piece: ArraySlice<UInt8>) {
        if head.count < 4096 { head += piece }
    }

    func hasClientSaid(_ text: [UInt8]) -> Bool { head.firstRange(of: text) != nil }

    func clientSends(_ piece: ArraySlice<UInt8>, holding pattern: [UInt8]) -> Bool {
        let stream = tail + piece
        tail = Array(stream.suffix(pattern.count - 1))
        return stream.firstRange(of: pattern) != nil
    }
}

private func sendAll(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) -> Bool {
    var rest = bytes
    while !rest.isEmpty {
        let sent = rest.withUnsafeBytes {
            send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if sent <= 0 { return false }
        rest = rest.dropFirst(sent)
    }
    return true
}

func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}

func withSocketAddress<R>(
    _ address: inout sockaddr_in,
    _ body: (UnsafeMutablePointer<sockaddr>) -> R
) -> R {
    withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
    }
}
