import Glibc

/// The processes below another one, as /proc shows them.
enum Descendants {
    static func all(of ancestor: pid_t) -> [pid_t] {
        let children = Dictionary(grouping: processes(), by: \.parent)
        var (found, next) = ([pid_t](), [ancestor])
        while let parent = next.popLast() {
            let below = (children[parent] ?? []).map(\.id)
            found += below
            next += below
        }
        return found
    }

    private static func processes() -> [(id: pid_t, parent: pid_t)] {
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        var found: [(id: pid_t, parent: pid_t)] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let id = pid_t(name), let parent = parent(of: id) { found.append((id, parent)) }
        }
        return found
    }

    /// - Returns: nil where it has ended.
    private static func parent(of process: pid_t) -> pid_t? {
        let file = open("/proc/\(process)/stat", O_RDONLY | O_CLOEXEC)
        if file < 0 { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = read(file, &bytes, bytes.count)
        // Behind its name, which may hold anything: the state, and the parent.
        guard count > 0, let end = bytes[..<count].lastIndex(of: UInt8(ascii: ")")) else {
            return nil
        }
        let fields = bytes[(end + 1)..<count].split(separator: UInt8(ascii: " "))
        guard fields.count > 1 else { return nil }
        return pid_t(String(decoding: fields[1], as: UTF8.self))
    }
}
