import Testing

@testable import Conversations

struct LogBudgetTests {
    @Test func largerLogsMakeSmallerBatchesAndNoneIsEmpty() {
        let budget = LogBudget()
        #expect(budget.batchLimit > 1_000_000)
        for (bytes, limit) in [(100_000, 167), (1 << 20, 16), (16 << 20, 1), (1 << 30, 1)] {
            budget.met(logOf: bytes)
            budget.met(logOf: 10)
            #expect(budget.batchLimit == limit)
        }
    }

    @Test func aSingleLargeOneIsForgotten() {
        let budget = LogBudget()
        budget.met(logOf: 16 << 20)
        for _ in 0..<40 { budget.beginBatch() }
        #expect(budget.batchLimit > 128)
        for _ in 0..<200 { budget.beginBatch() }
        #expect(budget.batchLimit == LogBudget.bytes)
    }
}
