import Foundation
import Testing
import WorkerHealth

@Suite struct LinkHealthTests {
    private let health = LinkHealth()
    private let start = ContinuousClock.now

    private func problem(
        _ code: String,
        _ kind: LinkHealth.Kind = .away,
        subject: String? = nil
    ) -> LinkHealth.Problem {
        .init(link: .consumer, subject: subject, kind: kind, code: code, text: "text of \(code)")
    }

    /// An outage whose cause changed was one line in second 0 and silence for hours.
    @Test func aProblemIsNewWhenItBeginsAndWhenItsCauseChanges() {
        #expect(health.failed(problem("ECONNREFUSED"), at: start) == .new)
        #expect(health.failed(problem("ECONNREFUSED"), at: start + .seconds(1)) == .repeated)
        #expect(health.failed(problem("403", .refused), at: start + .seconds(2)) == .new)
        #expect(health.failed(problem("403", .refused), at: start + .seconds(3)) == .repeated)
    }

    @Test func theSameCauseIsToldOnceAMinute() {
        _ = health.failed(problem("404"), at: start)
        #expect(health.failed(problem("404"), at: start + .seconds(59)) == .repeated)
        #expect(health.failed(problem("404"), at: start + .seconds(60)) == .still)
        #expect(health.failed(problem("404"), at: start + .seconds(119)) == .repeated)
        #expect(health.failed(problem("404"), at: start + .seconds(120)) == .still)
    }

    /// Readers want the cause of now, and how long the link has been without work.
    @Test func aReportHasTheLatestCauseAndTheFirstTime() throws {
        let begin = Date(timeIntervalSince1970: 1000)
        _ = health.failed(problem("ECONNREFUSED"), at: start, begin)
        _ = health.failed(problem("403", .refused), at: start + .seconds(9), begin + 9)
        let report = try #require(health.reports.first)
        #expect(report.problem.code == "403")
        #expect(report.problem.text == "text of 403")
        #expect((report.since, report.lastAt, report.count) == (begin, begin + 9, 2))
        #expect(health.reports.count == 1)
    }

    @Test func aLinkThatWorksHasNoProblem() {
        _ = health.failed(problem("404"), at: start)
        #expect(health.works(.consumer, at: start + .seconds(7)) == .seconds(7))
        #expect(health.reports.isEmpty)
        #expect(health.works(.consumer) == nil)
        #expect(health.failed(problem("404"), at: start + .seconds(8)) == .new)
    }

    /// A delay queue that is away must not hide that a dead letter is refused.
    @Test func partsOfALinkHaveProblemsOfTheirOwn() {
        _ = health.failed(problem("404", .missing, subject: "Q.retry.5"), at: start)
        #expect(health.failed(problem("406", .notTaken, subject: "Q.dead"), at: start) == .new)
        health.works(.consumer, "Q.retry.5")
        #expect(health.reports.map(\.problem.subject) == ["Q.dead"])
    }
}
