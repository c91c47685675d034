import Foundation

/// Processes of this machine.
enum Processes {
    /// How many live that have all of these in their environment, each `NAME=value`.
    static func count(having variables: [String]) -> Int {
        let folders: [String]
        do {
            folders = try FileManager.default.contentsOfDirectory(atPath: "/proc")
        } catch {
            preconditionFailure("no /proc: \(error)")
        }
        return folders.count { folder in
            // One that has ended since, or is a zombie, has none.
            guard Int(folder) != nil,
                let data = FileManager.default.contents(atPath: "/proc/\(folder)/environ")
            else { return false }
            let found = Set(data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) })
            return found.isSuperset(of: variables)
        }
    }
}
