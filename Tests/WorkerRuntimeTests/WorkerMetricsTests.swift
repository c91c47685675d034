import Foundation
import Messaging
import PrometheusMetrics
import TestSupport
import Testing
import WorkerHealth

@testable import WorkerRuntime

struct WorkerMetricsTests {
    private let registry = PrometheusRegistry(describing: [])

    private func expect(
        _ lines: String...,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let text = registry.text().split(separator: "\n").map(String.init)
        for line in lines {
            #expect(text.contains(line), "\(line)", sourceLocation: sourceLocation)
        }
    }

    /// Fault: a figure that an alert rests on counts something else than what became of the
    /// messages.
    @Test func everyOutcomeIsCountedOnce() {
        let failure = Failure(code: "C", reason: "r")
        let handler = ScriptedHandler { deliveries in
            deliveries.map { delivery in
                switch delivery.id.tag {
                case 1...3: .done
                case 4, 5: .duplicate
                case 6: .interrupted
                case 7: .retry(failure)
                case 10: .cancelled
                case _: .deadLetter(failure)
                }
            }
        }
        let bench = Bench(
            threads: 1,
            handler: handler,
            metrics: WorkerMetrics(factory: registry)
        )
        expect("amity_tasks_total{outcome=\"ok\"} 0")
        bench.dispatcher.submit((1...8).map { delivery($0) } + [delivery(10)])
        bench.dispatcher.refuse(delivery(9), because: failure)
        // Its second attempt is its last.
        var last = delivery(7)
        last.message.properties.headers[HeaderName.attempts] = .integer(1)
        bench.dispatcher.submit([last])
        bench.finish()
        expect(
            "amity_tasks_total{outcome=\"ok\"} 3",
            "amity_tasks_total{outcome=\"duplicate\"} 2",
            "amity_tasks_total{outcome=\"interrupted\"} 1",
            "amity_tasks_total{outcome=\"retry\"} 1",
            "amity_tasks_total{outcome=\"dead\"} 3",
            "amity_tasks_total{outcome=\"cancelled\"} 1",
            "amity_batch_messages_sum 10"
        )
    }

    /// Fault: a worker that seems idle while all its threads are stuck.
    @Test func whatIsBusyAndWhatWaitsIsSeen() throws {
        let (begun, mayEnd) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let handler = ScriptedHandler(batchLimit: 1) { deliveries in
            begun.signal()
            mayEnd.wait()
            return deliveries.map { _ in .done }
        }
        let metrics = WorkerMetrics(factory: registry)
        let bench = Bench(threads: 3, handler: handler, metrics: metrics)
        bench.dispatcher.submit((1...2).map { delivery($0) })
        for _ in 0..<2 { try #require(begun.wait(timeout: .now() + 10) == .success) }
        let readiness = Readiness(logger: quiet)
        let health = LinkHealth()
        _ = health.failed(.init(link: .database, kind: .refused, code: "28P01", text: "no"))
        metrics.look(at: bench.dispatcher, bench.completions, readiness, health)
        expect(
            "amity_threads{state=\"busy\"} 2",
            "amity_threads{state=\"idle\"} 1",
            "amity_inbox_messages 0",
            "amity_mailbox_completions 0",
            "amity_ready 0",
            "amity_not_ready{reason=\"not-consuming\"} 1",
            "amity_not_ready{reason=\"stalled\"} 0",
            "amity_link_problem{kind=\"refused\",link=\"database\"} 1",
            "amity_link_problem{kind=\"away\",link=\"database\"} 0",
            "amity_link_problem{kind=\"refused\",link=\"broker-consumer\"} 0"
        )
        bench.dispatcher.submit((3...7).map { delivery($0) })
        try #require(begun.wait(timeout: .now() + 10) == .success)
        readiness.set(.notConsuming, false)
        readiness.set(.databaseUnknown, false)
        health.works(.database)
        metrics.look(at: bench.dispatcher, bench.completions, readiness, health)
        expect(
            "amity_threads{state=\"busy\"} 3",
            "amity_threads{state=\"idle\"} 0",
            "amity_inbox_messages 4",
            "amity_ready 1",
            "amity_link_problem{kind=\"refused\",link=\"database\"} 0"
        )
        for _ in 0..<7 { mayEnd.signal() }
        bench.finish()
        metrics.look(at: bench.dispatcher, bench.completions, readiness, health)
        expect("amity_threads{state=\"idle\"} 3", "amity_mailbox_completions 7")
    }
}
