import Tasks
import Testing

@testable import FlowOperations

/// Where each task of a batch is drawn.
struct BatchGraphTests {
    private static func id(_ number: Int) -> TaskID { TaskID(firstAt: number) }

    /// - Parameter needs: of each, by their numbers.
    private static func graph(_ needs: [[Int]], types: [String] = []) -> BatchGraph {
        BatchGraph(
            needs.enumerated().map { number, needed in
                BatchMember(
                    id: id(number),
                    type: types.isEmpty ? "t" : types[number % types.count],
                    state: number == 0 ? .completed : .blocked,
                    needs: needed.map(id)
                )
            }
        )
    }

    /// Fault: a line leads from right to left, or through the box of another task.
    @Test func aTaskStandsBehindAllThatItNeeds() {
        let graph = Self.graph([[], [0], [0], [1, 2], [0, 3], []])
        #expect(graph.nodes.map(\.layer) == [0, 1, 1, 2, 3, 0])
        #expect(graph.nodes[4].needs == [0, 3])
        #expect(graph.nodes[0].state == "completed" && graph.groups.isEmpty && graph.isComplete)
        let places = graph.nodes.map { [$0.layer, $0.row] }
        #expect(Set(places).count == places.count)
    }

    /// Fault: lines cross that need not, and no person can follow them.
    @Test func whatNeedsTheSameStandsTogether() {
        let graph = Self.graph([[], [], [], [2], [1], [0], [3], [4], [5]])
        for node in graph.nodes {
            for need in node.needs { #expect(graph.nodes[need].row == node.row) }
        }
    }

    /// Fault: a need in another batch, or one that is deleted, makes the page of a batch fail.
    @Test func whatIsNotOfTheBatchIsCounted() {
        let graph = Self.graph([[], [0, 77, 78], [9]])
        #expect(graph.nodes[1].needs == [0] && graph.nodes[1].outside == 2)
        #expect(graph.nodes[2].needs.isEmpty && graph.nodes[2].layer == 0)
        #expect(Self.graph([]).nodes.isEmpty)
    }

    /// Fault: a page draws ten thousand boxes, and the browser stands still.
    @Test func tooManyAreGroupedByTypeAndLayer() {
        let many = 2 * BatchGraph.mostNodes
        let graph = Self.graph(
            (0..<many).map { $0 % 2 == 0 ? [] : [$0 - 1] },
            types: ["fetch", "resize"]
        )
        #expect(graph.nodes.isEmpty && graph.isComplete)
        #expect(graph.groups.map(\.type) == ["fetch", "resize"])
        #expect(graph.groups.map(\.layer) == [0, 1])
        #expect(graph.groups[0].states == ["completed": 1, "blocked": many / 2 - 1])
        #expect(graph.groups[1].needs == [0] && graph.groups[1].total == many / 2)
    }

    /// Fault: a chain of thousands, each in a layer of its own, is drawn whole.
    @Test func groupsAreBoundedToo() {
        let graph = Self.graph((0..<1_000).map { $0 == 0 ? [] : [$0 - 1] })
        #expect(graph.groups.count == BatchGraph.mostNodes && !graph.isComplete)
    }
}
