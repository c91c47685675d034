import Foundation

/// The kernel's files. Not every kernel and container has each of them.
package struct KernelFiles: Sendable {
    #if DEBUG
        /// Where `proc` and `sys` are. Debug builds obey `AMITY_HOST_ROOT`: a folder of a test's.
        package static let root = getenv("AMITY_HOST_ROOT").map { String(cString: $0) } ?? "/"
    #else
        package static let root = "/"
    #endif

    let root: String

    /// nil when it cannot be read.
    func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: "\(root)/\(path)").map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    /// Empty when it cannot be read.
    func lines(_ path: String) -> [Substring] { (text(path) ?? "").split(separator: "\n") }

    /// The only number in it. nil for "max", too.
    func number(_ path: String) -> Double? {
        text(path).flatMap { Double($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }

    /// The number on the line that begins with one of `names`, of the first name that has a line.
    func number(_ path: String, named names: String...) -> Double? {
        let lines = lines(path)
        for name in names {
            for line in lines where line.hasPrefix(name + " ") || line.hasPrefix(name + ":") {
                let words = line.dropFirst(name.count + 1).split(separator: " ")
                return words.first.flatMap { Double($0) }
            }
        }
        return nil
    }

    /// Names in a folder, without "." and ".."; nil when it cannot be read.
    func count(in folder: String) -> Int? {
        guard let folder = opendir("\(root)/\(folder)") else { return nil }
        defer { closedir(folder) }
        var count = -2
        while readdir(folder) != nil { count += 1 }
        return count
    }
}
