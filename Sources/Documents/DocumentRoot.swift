import CLinux
import Glibc

/// The folder below which documents lie. Whatever a path says, no file outside of it is read: the
/// kernel resolves it, and refuses links and steps out.
package struct DocumentRoot: Sendable {
    enum Failure: Error, Equatable {
        case notFound
        /// Outside of the folder, through a link, or no file.
        case refused
        case tooLarge
        case unreadable
    }

    /// In bytes.
    static let largestFile = 32 << 20

    private let path: String

    /// - Parameter path: an absolute one, as `DOCUMENT_ROOT` has it.
    package init(_ path: String) {
        self.path = String(path.reversed().drop { $0 == "/" }.reversed())
    }

    /// The path below the folder; it may also be given as a whole.
    func relative(_ file: String) -> String {
        file.hasPrefix(path + "/") ? String(file.dropFirst(path.count + 1)) : file
    }

    func read(_ file: String) throws(Failure) -> [UInt8] {
        let folder = open(path + "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder < 0 { throw .unreadable }
        defer { close(folder) }
        let descriptor = amity_open_beneath(folder, relative(file))
        if descriptor < 0 { throw Self.failure(errno) }
        defer { close(descriptor) }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { throw .unreadable }
        guard facts.st_mode & S_IFMT == S_IFREG else { throw .refused }
        return try Self.read(descriptor)
    }

    private static func failure(_ number: Int32) -> Failure {
        switch number {
        case ENOENT, ENOTDIR, ENAMETOOLONG: .notFound
        case EXDEV, ELOOP: .refused
        case _: .unreadable
        }
    }

    private static func read(_ descriptor: Int32) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 { throw .unreadable }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            if bytes.count > largestFile { throw .tooLarge }
        }
    }
}
