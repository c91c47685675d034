import Testing

@testable import AmityCLI
@testable import Tasks

struct DependencyPictureTests {
    private static func id(_ number: Int) -> TaskID { TaskID(firstAt: number) }

    private static func member(
        _ number: Int,
        _ state: TaskState,
        needs: [Int] = []
    ) -> BatchMember {
        BatchMember(id: id(number), type: "t\(number)", state: state, needs: needs.map(id))
    }

    private static func lines(_ members: [BatchMember]) -> [String] {
        DependencyPicture.lines(members).map { line in
            members.reduce(line) { $0.replacing(" \($1.id)", with: "") }
        }
    }

    /// Fault: a task stands below one that it does not need, or stands there twice, or not at all.
    @Test func eachTaskStandsBelowTheFirstThatItNeeds() {
        let members = [
            Self.member(0, .completed), Self.member(1, .failed),
            Self.member(2, .processing, needs: [0]), Self.member(3, .cancelled, needs: [1, 0]),
            Self.member(4, .blocked, needs: [2]), Self.member(5, .blocked, needs: [2, 3, 99]),
            Self.member(6, .queued),
        ]
        #expect(
            Self.lines(members) == [
                "+ #0 t0", "|- > #2 t2", "|  |- . #4 t4", "|  `- . #5 t5 +#3",
                "`- - #3 t3 +#1", "x #1 t1", ". #6 t6",
            ]
        )
    }

    @Test func noTasksMakeNoPicture() {
        #expect(DependencyPicture.lines([]).isEmpty)
    }

    @Test func aBatchShowsHowFarItIs() {
        let shown = ShownBatch(
            BatchView(
                id: Self.id(1),
                createdAt: .init(timeIntervalSince1970: 0),
                isCancelled: false,
                counts: [.completed: 5, .failed: 1, .queued: 6]
            )
        )
        #expect(shown.lines.contains("progress  [##########..........] 50 %"))
        #expect(shown.lines.contains("tasks     12: 6 queued, 5 completed, 1 failed"))
        #expect(shown.json.contains(#""total":12"#))
    }
}
