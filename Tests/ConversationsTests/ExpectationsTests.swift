import Testing

@testable import Conversations

struct ExpectationsTests {
    /// Fault: among few users whole batches are put back time and again.
    @Test func whereManyUsersAreLockedTheNextBatchesWait() {
        let expected = Expectations()
        expected.passedOver(7, of: 32)
        #expect(expected.passesOverLocked())
        expected.passedOver(8, of: 32)
        for _ in 0..<20 { #expect(!expected.passesOverLocked()) }
        #expect(expected.passesOverLocked())
    }
}
