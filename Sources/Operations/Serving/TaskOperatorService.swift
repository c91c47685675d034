import Tasks

/// What an operator can ask of tasks, and the actions on them. Where there are no tables of tasks,
/// or none that this worker's role may read, there are no tasks.
package protocol TaskOperatorService: Sendable {
    /// nil where there are no tables.
    func taskAlerts() throws(OperatorServiceError) -> [TaskAlert]?
    /// nil where there are no tables.
    func taskOverview() throws(OperatorServiceError) -> TaskOverview?
    func tasks(_ filter: TaskFilter) throws(OperatorServiceError) -> TaskPage
    func task(_ id: TaskID) throws(OperatorServiceError) -> TaskRecord?
    /// Ends a task, or tells the worker that runs it to stop.
    func cancelTask(_ id: TaskID) throws(OperatorServiceError) -> MoveOutcome
    /// Begins a failed or cancelled task anew.
    func retryTask(_ id: TaskID) throws(OperatorServiceError) -> MoveOutcome
    /// The same for the failed tasks that a filter names, oldest first.
    func retryTasks(_ filter: TaskFilter) throws(OperatorServiceError) -> TaskRetryResult
}

/// What has come of retrying many.
package struct TaskRetryResult: Sendable, Equatable, Encodable {
    package var retried: Int
    /// Whether none is left that was meant: else ask again.
    package var isComplete: Bool

    package init(retried: Int, isComplete: Bool) {
        self.retried = retried
        self.isComplete = isComplete
    }
}
