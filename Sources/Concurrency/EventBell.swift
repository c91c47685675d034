import CLinux
import Glibc

/// A mailbox's bell on Linux: an eventfd that `poll` watches next to the socket.
package final class EventBell: Bell {
    package let descriptor: Int32

    package init() {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        precondition(descriptor >= 0, "no descriptor left for an eventfd")
    }

    deinit { close(descriptor) }

    package func ring() {
        var one: UInt64 = 1
        // Fails only when the counter is full, and then the descriptor is readable anyway.
        _ = write(descriptor, &one, 8)
    }

    package func silence() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }

    /// Sleeps until the bell rings, `socket` has bytes, or `timeout` has passed.
    package func wait(orReadable socket: Int32?, timeout: Duration) {
        var descriptors = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
        if let socket { descriptors.append(.init(fd: socket, events: Int16(POLLIN), revents: 0)) }
        let milliseconds = Int32(clamping: Int64((timeout / .milliseconds(1)).rounded(.up)))
        // An interrupted or failed poll only means an early look at what is there.
        _ = poll(&descriptors, nfds_t(descriptors.count), max(0, milliseconds))
    }
}
