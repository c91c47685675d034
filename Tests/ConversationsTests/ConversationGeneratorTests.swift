import Testing

@testable import Conversations

struct SplitMix64Tests {
    /// The first outputs for seed 0, as published with the algorithm's reference code.
    @Test func drawsTheReferenceSequence() {
        var random = SplitMix64(state: 0)
        let drawn = (0..<3).map { _ in random.next() }
        let reference: [UInt64] = [
            0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F,
        ]
        #expect(drawn == reference)
    }
}
