/// A task as a request asks for it, checked.
package struct NewTask: Sendable {
    package var type: String
    package var pool: String
    package var priority = Priority.normal
    /// JSON of at most `largestPayload` bytes.
    package var payload: String
    /// JSON; nil for none.
    package var tags: String?
    package var retryLimit = RetryRule.retryLimit
    /// Of a run, in seconds.
    package var timeout = RetryRule.timeout
    /// In seconds, from the moment that the row is made.
    package var delay: Double?
    /// ISO 8601; in the past it counts as now.
    package var runAt: String?
    /// ISO 8601.
    package var deadline: String?
    package var kbID: String?
    /// At most one task of a kb, type and key lives at a time.
    package var uniqueKey: String?

    /// Told when it has ended.
    package var callback: TaskCallback?
    /// With which others it shares a limit, as its type's `TaskLimit.Key` says; nil for none.
    package var limitedBy: String?
    /// It waits until these have ended; at most `mostNeeds`. It has no delay of its own then.
    package var needs: [Need] = []
    /// Whether it runs also where one of them has not succeeded; else it is cancelled.
    package var runsOnFailedNeed = false

    package enum Need: Sendable, Hashable {
        case task(TaskID)
        /// The number of an earlier task of the same request, from 0 on.
        case entry(Int)
    }

    package static let largestPayload = 256 << 10
    package static let mostNeeds = 100

    package init(type: String, pool: String, payload: String) {
        self.type = type
        self.pool = pool
        self.payload = payload
    }
}

/// What one client asks for at once: one task, or a batch, which is made as a whole or not at all.
package struct SubmitRequest: Sendable {
    /// The token's id; 0 for none and for `API_TOKEN`.
    package var token = 0
    /// Same key and same body: the first answer again.
    package var key: String?
    /// SHA-256 of the raw body.
    package var digest: [UInt8] = []
    package var tasks: [NewTask]
    package var batch = Batch.none
    /// Told when all tasks of the new batch have ended.
    package var callback: TaskCallback?
    /// The only kb whose tasks may be needed, and batches added to; nil for all.
    package var kbScope: String?

    package enum Batch: Sendable, Equatable {
        case none
        /// - openFor: seconds in which more may be added; nil for none.
        case new(openFor: Int? = nil)
        /// One that is open.
        case existing(TaskID)
    }

    var isNewBatch: Bool { if case .new = batch { true } else { false } }

    package init(_ tasks: [NewTask]) { self.tasks = tasks }

    /// Keys of idempotency are a token's own.
    struct Key: Hashable {
        var token: Int
        var text: String
    }

    var scopedKey: Key? { key.map { Key(token: token, text: $0) } }
}

/// What a client is told of a task.
package struct SubmittedTask: Sendable, Codable, Equatable {
    package var id: TaskID
    package var status: String
    /// ISO 8601, as the database writes it.
    package var createdAt: String
    /// The task lived already: its unique key is the same.
    package var isDuplicate: Bool
}

/// The answer to a request, also to each repetition of it.
package struct Submission: Sendable, Codable, Equatable {
    package var batchID: TaskID?
    package var tasks: [SubmittedTask]
}

/// A message to be published: row and run, and the token of the lease, which the row's `due_at`
/// holds until the confirm.
package struct Publication: Sendable, Equatable {
    package var id: TaskID
    package var run: Int
    package var type: String
    package var pool: String
    package var priority: Priority
    package var lease: String
}

package enum SubmitOutcome: Sendable {
    case accepted(Submission, toPublish: [Publication])
    /// The key was used for another body.
    case keyConflict
    /// They name tasks that are not there: the numbers of an entry and of a need of it.
    case needsMissing([(entry: Int, need: Int)])
    case batchClosed
    case batchMissing
}
