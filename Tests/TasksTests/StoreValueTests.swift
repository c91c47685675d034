import Testing

@testable import Tasks

struct ScanFloorTests {
    /// Fault: rows that are due lie below the floor and are never seen.
    @Test func theFloorStaysAtWhatWasLeftAndIsLiftedEvery15Seconds() {
        var floor = ScanFloor()
        let full = [String](repeating: ScanFloor.none, count: 4)
        #expect(floor.next(at: 100) == full)
        let limit = "2026-01-01T00:00:05.000000Z"
        let left = "2026-01-01T00:00:01.000000Z"
        let later = "2026-01-01T00:00:09.000000Z"
        floor.scanned(until: limit, lastDue: [nil, left, later, nil])
        #expect(floor.next(at: 114.9) == [limit, left, limit, limit])
        #expect(floor.next(at: 115) == full)
        // That scan did not lower it.
        #expect(floor.next(at: 116) == [limit, left, limit, limit])
    }
}

struct TaskIDTests {
    @Test func anIDIsAUUIDInLowerCase() {
        let text = "018C2F4E-0000-7ABC-8DEF-0123456789ab"
        #expect(TaskID(text)?.text == text.lowercased())
        let wrong = [
            "", "018c2f4e00007abc8def0123456789ab", text + "0", text.replacing("A", with: "g"),
            "018c2f4e-0000-7abc-8def_0123456789ab", "é18c2f4e-0000-7abc-8def-0123456789a",
        ]
        for text in wrong { #expect(TaskID(text) == nil, "\(text)") }
    }

    /// Fault: a page of what was made after an instant lacks its first tasks.
    @Test func noIDOfAnInstantIsSmallerThanItsFirst() {
        let id = TaskID(firstAt: 0x0123_4567_89AB)
        #expect(id.text == "01234567-89ab-7000-8000-000000000000")
        #expect(TaskID(firstAt: 5).text.hasPrefix("00000000-0005-7"))
    }
}

struct RunTokenTests {
    /// Fault: the token of an older run, which the row still holds, ends a newer one.
    @Test func aTokenNamesItsRun() throws {
        let token = RunToken(run: 12)
        let shown = try #require(RunToken(token.text))
        #expect(shown.run == 12 && shown.digest == token.digest)
        let other = try #require(RunToken("13" + token.text.dropFirst(2)))
        #expect(other.run == 13 && other.digest != token.digest)
        for text in ["", "12", "x.abc", "12." + String(repeating: "a", count: 200)] {
            #expect(RunToken(text) == nil, "\(text)")
        }
        #expect(RunToken(run: 12).text != token.text)
    }
}
