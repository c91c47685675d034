import Foundation

/// What this process takes of the machine.
enum ProcessMemory {
    /// Bytes of it that are in memory; 0 where the kernel does not say.
    static var residentBytes: Int {
        // size resident shared …, in pages.
        let statm = FileManager.default.contents(atPath: "/proc/self/statm") ?? Data()
        let fields = String(decoding: statm, as: UTF8.self).split(separator: " ")
        return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
