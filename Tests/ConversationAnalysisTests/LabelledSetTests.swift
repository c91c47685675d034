import Testing

@testable import ConversationAnalysis

struct LabelledSetTests {
    /// Fault: a label with a slip, or a split that was chosen after a look at the errors.
    @Test func theSetIsWhole() {
        #expect(Labelled.all.map(\.id) == Array(1...176))
        for labelled in Labelled.all {
            #expect(labelled.split == (labelled.id.isMultiple(of: 3) ? "held-out" : "tuning"))
            #expect(["en", "vi", "mixed"].contains(labelled.language))
            #expect(Measurement.names.contains(labelled.emotion))
        }
        #expect(Set(Labelled.all.map(\.emotion)).count == 6)
    }

    /// Fault: a change of a rule or a word that mends one sentence and breaks ten others.
    @Test func agreesWithTheLabels() {
        for split in ["tuning", "held-out"] {
            let measured = Measurement(of: split)
            print("\(split)\n\(measured)")
        }
    }
}
