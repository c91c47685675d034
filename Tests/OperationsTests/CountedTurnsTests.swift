import Foundation
import Testing

@testable import Operations

struct CountedTurnsTests {
    private let log = #"""
        [{"speaker": "pika", "turn_id": 10, "text": "The moon is far away."},
         {"speaker": "user", "turn_id": 20,
          "text": "I have a cat. Why? Who lives there? Is it far?"},
         {"speaker": "user", "text": "My name is Mia."}]
        """#

    /// Fault: an operator is told the place in the list, and looks at another turn.
    @Test func turnsAreNamedByTheirIDs() throws {
        let counted = try CountedTurns(log: Data(log.utf8), botType: "TALK")
        #expect(counted.questions == [20, 20, 20])
        // The last has no id: its place.
        #expect(counted.memories == [20, 3])
    }

    @Test func aLessonHasNoMemories() throws {
        let counted = try CountedTurns(log: Data(log.utf8), botType: " next_lesson ")
        #expect(counted.memories == [] && counted.questions == [20, 20, 20])
    }

    @Test func anAPIShapeCountsWhatIsKept() throws {
        let log = #"""
            [{"character": "BOT_RESPONSE", "content": "Hi!"}, {"character": "USER", "content": " "},
             {"character": "USER", "content": "Where do you live?"}]
            """#
        let counted = try CountedTurns(log: Data(log.utf8), botType: "TALK")
        #expect(counted.questions == [2] && counted.memories == [])
    }
}
