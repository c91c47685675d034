import Hummingbird

/// Pages by what was asked for, a few of them: readers of the same page cost one question.
actor CachedPages<Query: Hashable & Sendable> {
    /// Chosen: as old as other figures.
    static var lifetime: Duration { .seconds(2) }
    /// One that took a second is asked for again after twenty: a twentieth of one core at most.
    static var costFactor: Int { 20 }
    private static var most: Int { 32 }

    private let make: @Sendable (Query) -> CachedResponse
    private var known: [Query: CachedResponse] = [:]

    init(_ make: @escaping @Sendable (Query) -> CachedResponse) {
        self.make = make
    }

    /// Answers that are still being computed are dropped, too.
    func forget() { known = [:] }

    /// - Parameter limit: of pages that were not asked for lately.
    nonisolated func response(
        _ query: Query,
        _ limit: LookupLimit
    ) async throws -> Response {
        if let page = await known[query] { return try await page.response() }
        return try await limit.run { try await add(query).response() }
    }

    private func add(_ query: Query) -> CachedResponse {
        if let page = known[query] { return page }
        if known.count >= Self.most { known = [:] }
        let page = make(query)
        known[query] = page
        return page
    }
}
