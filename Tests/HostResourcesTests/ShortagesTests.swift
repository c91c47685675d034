import Testing

@testable import HostResources

struct ShortagesTests {
    private func found(_ looks: ResourceUse...) -> [Shortage] {
        var shortages = Shortages(memory: .init())
        return looks.map { shortages.observe($0) }.last ?? []
    }

    private func use(open: Int) -> ResourceUse {
        var use = ResourceUse()
        use.descriptors = .init(open: open, limit: 1000)
        return use
    }

    private func use(free: Int, of size: Int) -> ResourceUse {
        var use = ResourceUse()
        use.disks = [.init(folder: "temporary", freeBytes: free, sizeBytes: size)]
        return use
    }

    @Test func descriptorsAreShortFromFourFifthsUntilSevenTenths() {
        #expect(found(use(open: 799)) == [])
        #expect(found(use(open: 800)).map(\.subject) == ["descriptors"])
        #expect(found(use(open: 800), use(open: 701)).count == 1)
        #expect(found(use(open: 800), use(open: 700)) == [])
    }

    /// Fault: a large disk is called full with a hundred gigabytes free, or a small one never.
    @Test(arguments: [(1 << 40, 1 << 30), (100 << 20, 5 << 20)])
    func aDiskIsShortBelowATwentiethOrAGigabyte(size: Int, room: Int) {
        #expect(found(use(free: room + 1, of: size)) == [])
        #expect(found(use(free: room - 1, of: size)).map(\.subject) == ["disk temporary"])
        #expect(found(use(free: 0, of: size)).count == 1)
        #expect(found(use(free: 0, of: size), use(free: room * 5 / 4, of: size)).count == 1)
        #expect(found(use(free: 0, of: size), use(free: room * 2, of: size)) == [])
    }

    @Test func aShortageSaysHowMuchIsLeftAndWhatToDo() {
        var short = use(free: 3 << 20, of: 100 << 20)
        short.memory = .init(residentBytes: 1, usedBytes: 93 << 20, limitBytes: 100 << 20)
        short.threadsShare = 1.0 / 16
        let problems = found(short).map(\.problem)
        #expect(problems.allSatisfy { $0.link == .host && $0.kind == .short })
        #expect(
            problems.map(\.text) == [
                "93 % of its 100 MB are used: it begins work on one in 16 of its threads",
                "3 of 100 MB are free where its temporary folder is",
            ]
        )
        #expect(problems.map(\.code) == ["90%", "95%"])
        #expect(problems.allSatisfy { $0.remedy != nil })
    }
}
