import Testing

@testable import Consuming

struct StallDetectorTests {
    private let start = ContinuousClock.now

    /// Fault: connected, and the broker has forgotten the consumer: nothing arrives for ever.
    @Test func twoLooksAtReadyMessagesAreAStall() {
        var detector = StallDetector(timeout: .seconds(30), at: start)
        #expect(!detector.isProbeDue(at: start + .seconds(29)))
        #expect(detector.isProbeDue(at: start + .seconds(30)))
        let first = detector.probed(ready: 5, at: start + .seconds(30))
        #expect(!first)
        #expect(detector.wait(from: start + .seconds(30)) == .seconds(1))
        let second = detector.probed(ready: 5, at: start + .seconds(31))
        #expect(second)
    }

    @Test func aQuietQueueIsNone() {
        var detector = StallDetector(timeout: .seconds(30), at: start)
        for look in 1...100 {
            let isStalled = detector.probed(ready: 0, at: start + .seconds(30 * look))
            #expect(!isStalled)
        }
    }

    @Test func aDeliveryBetweenTheLooksClearsTheSuspicion() {
        var detector = StallDetector(timeout: .seconds(30), at: start)
        _ = detector.probed(ready: 1, at: start + .seconds(30))
        detector.delivered(at: start + .seconds(30))
        #expect(!detector.isProbeDue(at: start + .seconds(59)))
        let isStalled = detector.probed(ready: 1, at: start + .seconds(60))
        #expect(!isStalled)
    }
}
