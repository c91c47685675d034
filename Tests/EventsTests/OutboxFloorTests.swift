import Testing

@testable import Events

struct OutboxFloorTests {
    private let start = ContinuousClock.now
    private var floor = OutboxFloor()

    private mutating func look(
        _ ids: (first: Int, last: Int)?,
        held: Int? = nil,
        _ oldest: Int,
        _ next: Int,
        at seconds: Int
    ) -> Int {
        let snapshot = OutboxFloor.Snapshot(oldest: oldest, next: next)
        floor.looked(ids, held: held, snapshot, at: start + .seconds(seconds))
        return floor.id
    }

    /// Fault: a transaction commits after others with a lower id than theirs, and its event is
    /// never sent.
    @Test mutating func itWaitsForEachTransactionThatWasThere() {
        #expect(look((1, 500), 70, 100, at: 0) == 0)
        // The highest of before, and the transactions that were there after it was seen.
        #expect(look((501, 900), 75, 120, at: 1) == 0)
        #expect(look(nil, 119, 150, at: 30) == 0, "one is still open")
        #expect(look(nil, 120, 151, at: 31) == 500)
        #expect(look(nil, 151, 151, at: 35) == 500, "too soon after the next was seen")
        #expect(look(nil, 151, 151, at: 36) == 900)
        #expect(look(nil, 152, 152, at: 60) == 900)
    }

    /// Fault: what was not sent, or rests, falls below the floor.
    @Test mutating func itStaysBelowWhatIsLeft() {
        #expect(look((1, 500), 70, 100, at: 0) == 0)
        #expect(look((1, 500), held: 40, 75, 120, at: 1) == 0)
        #expect(look((60, 500), held: 40, 120, 120, at: 6) == 39)
        #expect(look((60, 500), held: 700, 120, 120, at: 7) == 39)
        #expect(look((60, 500), held: 700, 120, 120, at: 12) == 59)
        #expect(look(nil, held: 700, 120, 120, at: 20) == 500)
    }

    @Test mutating func nothingFoundLeavesItWhereItIs() {
        for second in 0..<100 { #expect(look(nil, 100, 100, at: second) == 0) }
    }
}
