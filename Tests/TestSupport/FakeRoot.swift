import Foundation
import Testing

/// A folder that stands for `/`, gone when the test is.
package final class FakeRoot {
    package let path = NSTemporaryDirectory() + "amity-\(UUID().uuidString)"

    /// - Parameter files: contents by path.
    package init(_ files: [String: String] = [:]) throws {
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: true
        )
        for (name, content) in files { try write(name, content) }
    }

    deinit {
        do { try FileManager.default.removeItem(atPath: path) } catch { Issue.record(error) }
    }

    package func write(_ name: String, _ content: String) throws {
        let file = URL(fileURLWithPath: path + "/" + name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(content.utf8).write(to: file, options: .atomic)
    }

    /// A container with a megabyte that uses so many percent of it.
    package static func container(using percent: Int) throws -> FakeRoot {
        let root = try FakeRoot([
            "proc/self/cgroup": "0::/\n", "proc/self/statm": "900 100 1 1 0 1 0\n",
            "sys/fs/cgroup/memory.max": "1048576\n",
        ])
        try root.use(percent: percent)
        return root
    }

    package func use(percent: Int) throws {
        try write("sys/fs/cgroup/memory.current", "\((1 << 20) * percent / 100)\n")
    }
}
