import Glibc
import Testing

@testable import AMQP

struct WatchdogTests {
    /// Fault: a call of the library that has no deadline keeps its thread for ever. A read from a
    /// socket whose peer says nothing stands for it here.
    @Test(.timeLimit(.minutes(1)))
    func aCallThatLastsTooLongHasItsSocketShut() {
        var pair: [Int32] = [0, 0]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        defer { for descriptor in pair { close(descriptor) } }
        let watch = Watchdog.shared.watch(pair[0], limit: .milliseconds(100))
        defer { Watchdog.shared.forget(watch) }
        watch.begin()
        var byte: UInt8 = 0
        #expect(read(pair[0], &byte, 1) == 0)
        watch.end()
        #expect(watch.hasFired)
    }

    @Test(.timeLimit(.minutes(1)))
    func betweenCallsNothingIsShut() {
        var pair: [Int32] = [0, 0]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        defer { for descriptor in pair { close(descriptor) } }
        let idle = Watchdog.shared.watch(pair[0], limit: .milliseconds(1))
        defer { Watchdog.shared.forget(idle) }
        idle.begin()
        idle.end()
        // Another one's end shows that the watchdog has looked since.
        var other: [Int32] = [0, 0]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &other) == 0)
        defer { for descriptor in other { close(descriptor) } }
        let stuck = Watchdog.shared.watch(other[0], limit: .milliseconds(1))
        defer { Watchdog.shared.forget(stuck) }
        stuck.begin()
        var byte: UInt8 = 0
        #expect(read(other[0], &byte, 1) == 0)
        #expect(!idle.hasFired)
    }
}
