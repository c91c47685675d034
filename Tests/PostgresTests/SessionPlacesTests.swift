import Testing

@testable import Postgres

struct SessionPlacesTests {
    private let now = ContinuousClock.now
    private let rest = Duration.milliseconds(500)

    private func places(_ count: Int) -> SessionPlaces {
        SessionPlaces(count: count, rest: rest, at: now)
    }

    /// Places whose sessions of these numbers are open and free.
    private func places(_ count: Int, open: Int...) -> SessionPlaces {
        var places = places(count)
        for number in 0..<count { _ = places.borrow(preferring: number, at: now) }
        for number in 0..<count { places.giveBack(number, isOpen: open.contains(number), at: now) }
        return places
    }

    /// Fault: two threads use one session, and each reads the other's rows; or more sessions are
    /// opened than the setting allows.
    @Test func eachIsLentToOneUntilItIsGivenBackAndThereAreNoMore() {
        var places = places(3)
        let lent = (0..<3).compactMap { _ in places.borrow(preferring: 0, at: now)?.index }
        #expect(Set(lent) == [0, 1, 2])
        #expect(places.borrow(preferring: 0, at: now) == nil)
        #expect(places.borrowIdle(for: .zero, at: now + .seconds(60)) == nil)
        places.giveBack(1, isOpen: true, at: now)
        #expect(places.borrow(preferring: 0, at: now)?.index == 1)
        #expect(places.borrow(preferring: 1, at: now) == nil)
    }

    /// Fault: every thread opens a session of its own, although one at a time is all that is used.
    @Test func anOpenSessionIsLentBeforeAnotherIsOpened() {
        var places = places(4, open: 2)
        #expect(places.borrow(preferring: 0, at: now)?.index == 2)
        #expect(
            places.borrow(preferring: 3, at: now)?.index == 3,
            "none is open: the preferred one"
        )
        #expect(places.borrow(preferring: 3, at: now)?.index == 0)
    }

    /// Fault: threads swap sessions, and statements are prepared anew in each of them.
    @Test func eachThreadFindsItsOwnSessionAgain() {
        var places = places(4, open: 0, 1, 2, 3)
        for _ in 0..<100 {
            for number in [3, 1, 0, 2] {
                #expect(places.borrow(preferring: number, at: now)?.index == number)
            }
            for number in 0..<4 { places.giveBack(number, isOpen: true, at: now) }
        }
        #expect(places.borrow(preferring: 4 + 3, at: now)?.index == 3, "more threads than places")
    }

    /// Fault: a session that broke is lent as if it were open, before one that is.
    @Test func anUnfitSessionIsLentLast() {
        var places = places(2, open: 0, 1)
        _ = places.borrow(preferring: 0, at: now)
        places.giveBack(0, isOpen: false, at: now)
        #expect(places.borrow(preferring: 0, at: now)?.index == 1)
        #expect(places.borrow(preferring: 0, at: now)?.index == 0)
    }

    /// Fault: a session that the server ended overnight is used without a check.
    @Test func oneThatWasNotUsedForAMomentIsChecked() {
        var places = places(1, open: 0)
        #expect(places.borrow(preferring: 0, at: now + rest - .milliseconds(1))?.hasRested == false)
        places.giveBack(0, isOpen: true, at: now + .seconds(7))
        #expect(places.borrow(preferring: 0, at: now + .seconds(7) + rest)?.hasRested == true)
    }

    /// Fault: idle sessions are kept for ever, one that is in use is closed, or one is closed over
    /// and over.
    @Test func onlyOpenSessionsThatRestForLongAreClosed() {
        var places = places(3, open: 0, 1)
        _ = places.borrow(preferring: 0, at: now)
        let later = now + .seconds(61)
        #expect(places.borrowIdle(for: .seconds(60), at: now + .seconds(60)) == nil)
        #expect(places.borrowIdle(for: .seconds(60), at: later) == 1)
        places.giveBack(1, isOpen: false, at: later)
        #expect(places.borrowIdle(for: .seconds(60), at: later + .seconds(3600)) == nil)
    }
}
