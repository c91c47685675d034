import Operations
import TaskTypes
import Tasks

/// What an operator can ask of limits, schedules, batches and events, and the actions on them.
/// Every call blocks its thread. Where there are no tables of tasks, or none that this worker's
/// role may read, an answer is nil.
package protocol FlowOperatorService: Sendable {
    func limits(_ query: LimitQuery) throws(OperatorServiceError) -> LimitPage?
    /// - Returns: whether it is so now; false for a type that is unknown.
    func setPause(_ subject: PauseSubject, isOn: Bool) throws(OperatorServiceError) -> Bool?

    /// - Parameter name: only those behind this one.
    func schedules(after name: String?) throws(OperatorServiceError) -> SchedulePage?
    func setSchedule(
        _ name: String,
        isPaused: Bool
    ) throws(OperatorServiceError) -> ScheduleRecord?
    /// Makes a schedule's task now.
    func runSchedule(_ name: String) throws(OperatorServiceError) -> ScheduleRun?

    /// - Parameter id: only those that were made before this one.
    func batches(before id: TaskID?) throws(OperatorServiceError) -> BatchPage?
    func batch(_ id: TaskID) throws(OperatorServiceError) -> BatchPicture?
    func cancelBatch(_ id: TaskID) throws(OperatorServiceError) -> BatchRecord?

    /// What this worker writes events of: `tasks`, `scores`. Others may write more.
    var eventTopics: [String] { get }
    /// - Returns: nil where too many listen.
    func listen(to pattern: EventPattern) -> EventListener?
}

/// A page of keys.
package struct LimitQuery: Sendable, Hashable {
    /// Whether also those that keep nothing waiting and are not paused.
    package var isAll = false
    /// Only those behind this one.
    package var after: String?

    package init() {}
}

/// What has come of making a schedule's task.
package enum ScheduleRun: Sendable, Equatable {
    case made(TaskID)
    /// A task with the same unique key lives.
    case lives(TaskID)
    case typeUnknown
    case missing
}
