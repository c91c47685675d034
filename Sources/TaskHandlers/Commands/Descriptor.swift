import CLinux
import Glibc

/// Sole owner of a descriptor, which programs that are started do not inherit.
final class Descriptor {
    struct Failure: Error {
        /// An errno.
        let number: Int32
    }

    let number: Int32
    private var isOpen = true

    private init(_ number: Int32) throws(Failure) {
        self.number = number
        // Every field is set, so this runs `deinit`.
        if number < 0 {
            isOpen = false
            throw Failure(number: errno)
        }
    }

    deinit { close() }

    func close() {
        if isOpen { Glibc.close(number) }
        isOpen = false
    }

    static func pipe() throws(Failure) -> (read: Descriptor, write: Descriptor) {
        var ends: [Int32] = [-1, -1]
        if amity_pipe(&ends) != 0 { throw Failure(number: errno) }
        return (try Descriptor(ends[0]), try Descriptor(ends[1]))
    }

    static func socketPair() throws(Failure) -> (own: Descriptor, other: Descriptor) {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        if socketpair(AF_UNIX, kind, 0, &ends) != 0 { throw Failure(number: errno) }
        return (try Descriptor(ends[0]), try Descriptor(ends[1]))
    }

    /// A file in memory, to be read from its start.
    static func file(named name: String, holding bytes: [UInt8]) throws(Failure) -> Descriptor {
        let file = try Descriptor(amity_memory_file(name))
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(file.number, $0.baseAddress, $0.count) }
            if count < 0 { throw Failure(number: errno) }
            rest = rest.dropFirst(count)
        }
        lseek(file.number, 0, SEEK_SET)
        return file
    }

    /// Readable when the process has ended.
    static func process(_ process: pid_t) throws(Failure) -> Descriptor {
        try Descriptor(amity_pidfd_open(process))
    }

    /// Reads no longer wait for bytes.
    func doNotBlock() {
        _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK)
    }

    enum Reading {
        case bytes(ArraySlice<UInt8>)
        case nothingYet
        case end
    }

    func read(into buffer: inout [UInt8]) -> Reading {
        while true {
            let count = Glibc.read(number, &buffer, buffer.count)
            if count > 0 { return .bytes(buffer[..<count]) }
            if count < 0, errno == EINTR { continue }
            return count < 0 && errno == EAGAIN ? .nothingYet : .end
        }
    }
}
