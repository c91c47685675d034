import Foundation

/// A file that a setting `<NAME>_FILE` names, with the secret in it.
package struct SecretFile: Sendable {
    /// Of the setting that names it.
    let setting: String
    let path: String

    /// Chosen: far more than any secret has.
    private static let largest = 64 << 10
    /// Seconds for what a pipe's writer takes, e.g. a command of a vault. Chosen.
    private static let patience = 10.0

    struct Content {
        /// Without the line break at its end.
        var text: String
        /// Whether it can be read again: not so a pipe, e.g. of a shell's `<(…)`.
        var isLasting: Bool
    }

    /// Why there is no secret, in words that hold nothing of it.
    package struct Unreadable: Error, CustomStringConvertible {
        package let description: String
    }

    /// Blocks for seconds at most, and only where it is a pipe.
    func read() throws(Unreadable) -> Content {
        // Without O_NONBLOCK a named pipe without a writer would hold the opening for ever.
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        if descriptor < 0 { throw failure(String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw failure(String(cString: strerror(errno)))
        }
        let bytes = try bytes(from: descriptor)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw failure("it is not UTF-8 text")
        }
        return Content(
            text: text.trimmingCharacters(in: .newlines),
            isLasting: status.st_mode & S_IFMT == S_IFREG
        )
    }

    private func bytes(from descriptor: Int32) throws(Unreadable) -> [UInt8] {
        let deadline = ContinuousClock.now + .seconds(Self.patience)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count > 0 {
                bytes += chunk[..<count]
                if bytes.count > Self.largest { throw failure("it is too large for a secret") }
            } else if errno == EAGAIN {
                let left = ContinuousClock.now.duration(to: deadline) / .milliseconds(1)
                if left <= 0 { throw failure("nothing came through the pipe") }
                var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                _ = poll(&state, 1, Int32(left.rounded(.up)))
            } else if errno != EINTR {
                throw failure(String(cString: strerror(errno)))
            }
        }
    }

    private func failure(_ reason: String) -> Unreadable {
        Unreadable(description: "\(setting): cannot read the file it names: \(reason)")
    }
}
