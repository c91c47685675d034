import Postgres
import Testing

@testable import Conversations

/// Whose fault an error is follows from what was tried, and from nothing else.
struct FaultEvidenceTests {
    private let begin = ContinuousClock.now
    private let first = ExactText("r0")
    private let place = PostgresError.Place(table: "friendship_status", column: "tenant_id")

    private func fault(
        _ sqlState: String = "42P01",
        _ step: FaultEvidence.Steps = .scoring
    ) -> FaultEvidence.Fault {
        let error = PostgresError(
            sqlState: sqlState,
            operation: "update_users",
            message: "",
            place: place
        )
        return .init(error, in: step)
    }

    private func time(_ seconds: Int) -> ContinuousClock.Instant { begin + .seconds(seconds) }

    private func meet(
        _ evidence: inout FaultEvidence,
        _ fault: FaultEvidence.Fault,
        by rows: Int,
        at seconds: Int
    ) {
        for row in 0..<rows { evidence.met(fault, by: ExactText("r\(row)"), at: time(seconds)) }
    }

    @Test(arguments: [1, 2]) func oneRowOrTwoThatMeetItAloneLeaveItOpen(rows: Int) {
        var evidence = FaultEvidence()
        meet(&evidence, fault(), by: rows, at: 1)
        #expect(evidence.verdict(on: fault(), by: first, since: begin) == .open)
    }

    @Test func severalRowsThatMeetItAndNoneThatPassesMakeItEveryones() {
        var evidence = FaultEvidence()
        meet(&evidence, fault(), by: 3, at: 1)
        #expect(evidence.verdict(on: fault(), by: first, since: begin) == .everyRow)
    }

    /// Fault: one row that is tried again and again looks like many.
    @Test func oneRowThatMeetsItOftenIsStillOne() {
        var evidence = FaultEvidence()
        for second in 1...9 { meet(&evidence, fault(), by: 1, at: second) }
        #expect(evidence.verdict(on: fault(), by: first, since: begin) == .open)
    }

    /// Fault: a batch whose last three are bad looks like an outage.
    @Test(arguments: [1, 3]) func whereOthersPassSideBySideItIsTheRowsThatFailAgain(passing: Int) {
        var evidence = FaultEvidence()
        if passing == 1 { evidence.passed(.scoring, at: time(1)) }
        meet(&evidence, fault(), by: 5, at: 2)
        if passing == 3 { evidence.passed(.scoring, at: time(3)) }
        #expect(evidence.verdict(on: fault(), by: first, since: begin) == .again)
        meet(&evidence, fault(), by: 1, at: 4)
        #expect(evidence.verdict(on: fault(), by: first, since: time(4)) == .row)
    }

    /// A row that comes again after others have passed has shown that it is the one.
    @Test func aRowThatFailsBeforeOthersPassAndAfterIsTheOne() {
        var evidence = FaultEvidence()
        meet(&evidence, fault(), by: 1, at: 1)
        #expect(evidence.verdict(on: fault(), by: first, since: time(0)) == .open)
        evidence.passed(.scoring, at: time(2))
        meet(&evidence, fault(), by: 1, at: 5)
        #expect(evidence.verdict(on: fault(), by: first, since: time(4)) == .again)
        #expect(evidence.verdict(on: fault(), by: first, since: time(6)) == .row)
    }

    /// Fault: a row refused beside others is put off when it fails alone later.
    @Test func aRowThatFailsBesideOthersInOneTransactionNeedsNoMoreProof() {
        var evidence = FaultEvidence()
        evidence.metBesideOthers(by: first, at: time(1))
        evidence.met(fault(), by: first, at: time(9))
        #expect(evidence.verdict(on: fault(), by: first, since: time(8)) == .row)
    }

    /// Fault: a full disk takes what still fits, and so the rest looks as if it were to blame.
    @Test func whatPassedBeforeTheServerRanShortDoesNotSpeakAgainstTheRest() {
        var evidence = FaultEvidence()
        let full = fault("53100")
        evidence.passed(.scoring, at: time(1))
        meet(&evidence, full, by: 5, at: 2)
        for row in 0..<5 {
            let verdict = evidence.verdict(on: full, by: ExactText("r\(row)"), since: begin)
            #expect(verdict == .again)
        }
        meet(&evidence, full, by: 5, at: 4)
        #expect(evidence.verdict(on: full, by: first, since: time(3)) == .everyRow)
        evidence.passed(.scoring, at: time(5))
        #expect(evidence.verdict(on: full, by: first, since: time(5)) == .row)
        // One that is left waits, too.
        meet(&evidence, full, by: 1, at: 7)
        #expect(evidence.verdict(on: full, by: first, since: time(6)) == .open)
    }

    /// Fault: rows that were found to be bad make the next one look like an outage.
    @Test func whatIsARowsOwnDoesNotAddUp() {
        var evidence = FaultEvidence()
        evidence.passed(.scoring, at: time(1))
        meet(&evidence, fault(), by: 5, at: 2)
        for row in 0..<5 {
            let verdict = evidence.verdict(on: fault(), by: ExactText("r\(row)"), since: begin)
            #expect(verdict == .again)
        }
        let next = ExactText("next")
        evidence.met(fault(), by: next, at: time(9))
        #expect(evidence.verdict(on: fault(), by: next, since: time(8)) == .open)
    }

    /// Fault: users that have a row hide that no new one can be made.
    @Test func rowsThatPassOneStepSayNothingAboutAnother() {
        var evidence = FaultEvidence()
        let newUser = fault("23502", .newUser)
        meet(&evidence, newUser, by: 3, at: 1)
        evidence.passed([.scoring, .topics, .finding], at: time(2))
        #expect(evidence.verdict(on: newUser, by: first, since: begin) == .everyRow)
        evidence.passed(.newUser, at: time(3))
        #expect(evidence.verdict(on: newUser, by: first, since: begin) == .again)
    }

    /// Fault: rows that fail for reasons of their own add up to an outage.
    @Test func differentFaultsDoNotAddUp() {
        var evidence = FaultEvidence()
        let faults = ["22012", "23514", "42P01", "P0001"].map { fault($0) }
        for (number, fault) in faults.enumerated() {
            evidence.met(fault, by: ExactText("r\(number)"), at: time(1))
        }
        for fault in faults {
            #expect(evidence.verdict(on: fault, by: first, since: begin) == .open)
        }
    }

    /// Fault: a schema that breaks under a worker that has long been at work is taken for the rows'
    /// fault.
    @Test func whatPassedBeforeTheRowsWereTriedDoesNotSpeakAgainstThem() {
        var evidence = FaultEvidence()
        evidence.passed(.scoring, at: time(1))
        meet(&evidence, fault(), by: 2, at: 5)
        #expect(evidence.verdict(on: fault(), by: first, since: time(4)) == .open)
        meet(&evidence, fault(), by: 3, at: 6)
        #expect(evidence.verdict(on: fault(), by: first, since: time(4)) == .everyRow)
    }

    /// A producer may be ahead of its commits by some conversations.
    @Test func itTakesManyUnknownConversationsToMakeAFlood() {
        var evidence = FaultEvidence()
        meet(&evidence, .notFound, by: 19, at: 1)
        #expect(evidence.verdict(on: .notFound, by: first, since: begin) == .open)
        meet(&evidence, .notFound, by: 20, at: 1)
        #expect(evidence.verdict(on: .notFound, by: first, since: begin) == .everyRow)
    }

    /// Fault: what is remembered of rows that fail for ever fills the memory.
    @Test func manyThousandRowsAreForgottenInTime() {
        var evidence = FaultEvidence()
        for row in 0..<5000 { evidence.met(fault(), by: ExactText("row \(row)"), at: time(1)) }
        evidence.passed(.scoring, at: time(2))
        let (old, new) = (ExactText("row 0"), ExactText("row 4999"))
        #expect(evidence.verdict(on: fault(), by: old, since: time(3)) == .open)
        #expect(evidence.verdict(on: fault(), by: new, since: time(3)) == .again)
    }
}
