import Concurrency
import FlowOperations
import Foundation
import Operations
import TaskTypes
import Tasks

/// A service that knows what a test gives it, and writes down what it is asked.
final class StubFlowService: FlowOperatorService {
    /// What was asked and ordered.
    let calls = Locked<[String]>([])
    /// What a pause, a schedule's run and a batch come to.
    let isThere = Locked(true)
    let run = Locked<ScheduleRun>(.missing)

    private func note(_ call: String) -> Bool {
        calls.withLock { $0.append(call) }
        return isThere.withLock { $0 }
    }

    func limits(_ query: LimitQuery) throws(OperatorServiceError) -> LimitPage? {
        note("limits \(query.isAll) \(query.after ?? "-")") ? APISample.limits : nil
    }

    func setPause(
        _ subject: PauseSubject,
        isOn: Bool
    ) throws(OperatorServiceError) -> Bool? {
        note("\(isOn ? "pause" : "resume") \(subject)")
    }

    func schedules(after name: String?) throws(OperatorServiceError) -> SchedulePage? {
        note("schedules \(name ?? "-")") ? APISample.schedules : nil
    }

    func setSchedule(
        _ name: String,
        isPaused: Bool
    ) throws(OperatorServiceError) -> ScheduleRecord? {
        note("\(isPaused ? "pause" : "resume") schedule \(name)")
            ? APISample.schedules.schedules[0] : nil
    }

    func runSchedule(_ name: String) throws(OperatorServiceError) -> ScheduleRun? {
        _ = note("run \(name)")
        return run.withLock { $0 }
    }

    func batches(before id: TaskID?) throws(OperatorServiceError) -> BatchPage? {
        note("batches \(id?.text ?? "-")") ? APISample.batches : nil
    }

    func batch(_ id: TaskID) throws(OperatorServiceError) -> BatchPicture? {
        note("batch \(id)") ? APISample.picture : nil
    }

    func cancelBatch(_ id: TaskID) throws(OperatorServiceError) -> BatchRecord? {
        note("cancel \(id)") ? APISample.picture.batch : nil
    }

    let eventTopics = ["tasks"]

    /// None can listen where there is no broker.
    func listen(to pattern: EventPattern) -> EventListener? {
        _ = note("listen \(pattern.text)")
        return nil
    }
}
