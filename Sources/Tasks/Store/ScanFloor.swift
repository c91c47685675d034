/// Where the scan for due rows begins. Below lie entries of the index that earlier scans have dealt
/// with; under an old snapshot of another session PostgreSQL cannot remove them, and would visit
/// them again in each turn. Instants are texts of ISO 8601 in UTC, which sort as their instants do.
///
/// What commits late with an instant below the floor, was locked, or belonged to a queue that was
/// set aside, is found by a scan without a floor, every 15 seconds.
package struct ScanFloor: Sendable {
    package static let none = "-infinity"
    /// In seconds, by a monotonic clock.
    package static let fullEvery = 15.0

    /// By priority.
    private var floors = [String](repeating: none, count: Priority.allCases.count)
    private var lastFull: Double?

    package init() {}

    /// The floors for a scan now.
    ///
    /// - Parameter now: monotonic, in seconds.
    package mutating func next(at now: Double) -> [String] {
        if let lastFull, now - lastFull < Self.fullEvery { return floors }
        lastFull = now
        return floors.map { _ in Self.none }
    }

    /// - Parameters:
    ///   - limit: 5 s before the scan, by the database's clock.
    ///   - lastDue: for each priority the instant up to which it took rows, where its budget was
    ///     used up; nil where nothing was left.
    package mutating func scanned(until limit: String, lastDue: [String?]) {
        for index in floors.indices { floors[index] = min(lastDue[index] ?? limit, limit) }
    }
}
