import Messaging

/// One kind of work: which messages it takes, what runs them, and how they are treated. A worker is
/// given a list of these.
package struct WorkKind: Sendable {
    /// Which work starts first. See `Inbox`.
    package enum Priority: Int, Sendable, CaseIterable, Comparable {
        case critical, high, normal, low

        package static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }
    }

    /// The AMQP `type` property of its messages; nil takes the messages without one.
    package let type: String?
    package let handler: any Handler
    /// What happens to its messages that fail.
    package let retryPolicy: RetryPolicy
    package let priority: Priority

    package init(
        type: String?,
        handler: any Handler,
        retryPolicy: RetryPolicy,
        priority: Priority = .normal
    ) {
        self.type = type
        self.handler = handler
        self.retryPolicy = retryPolicy
        self.priority = priority
    }

    /// Most deliveries that one call of its handler is given now, 1 or more. It asks the handler,
    /// which may take locks: not to be called under one.
    var batchLimit: Int { max(1, handler.batchLimit) }
}

/// All kinds of work of one worker. The last one takes the messages that no other kind takes.
struct WorkKinds: Sendable {
    let all: [WorkKind]
    let index: WorkKindIndex

    /// - Parameters:
    ///   - kinds: no two with the same type.
    ///   - unknown: for messages whose type no kind has; they are dead-lettered.
    init(_ kinds: [WorkKind], unknown: RetryPolicy) {
        all = kinds + [WorkKind(type: nil, handler: UnknownTypeHandler(), retryPolicy: unknown)]
        index = WorkKindIndex(
            types: kinds.map(\.type),
            priorities: all.map(\.priority)
        )
    }

    subscript(delivery: Delivery) -> WorkKind { all[index[delivery]] }

    /// Of each kind, as they are now.
    var batchLimits: [Int] { all.map(\.batchLimit) }
}

/// Finds the number of a message's kind: by its type, or by the queue that it came from. A value
/// without handlers, so that it may be used under a lock.
struct WorkKindIndex: Sendable {
    /// Of each kind, by its number; one more than there are types, for messages that none of them
    /// names.
    let priorities: [WorkKind.Priority]
    private let untyped: Int
    private let byType: [String: Int]
    private let isBySource: Bool

    /// Each queue of a consumer is a kind.
    ///
    /// - Parameter priorities: of each queue, by its number.
    init(sources priorities: [WorkKind.Priority]) {
        self.priorities = priorities
        untyped = 0
        byType = [:]
        isBySource = true
    }

    /// - Parameters:
    ///   - types: of each kind by its number, each only once.
    ///   - priorities: one more, which is that of messages with another type.
    init(types: [String?], priorities: [WorkKind.Priority]) {
        precondition(priorities.count == types.count + 1 && Set(types).count == types.count)
        self.priorities = priorities
        isBySource = false
        untyped = types.firstIndex(of: nil) ?? types.count
        byType = Dictionary(
            uniqueKeysWithValues: types.enumerated().compactMap { number, type in
                type.map { ($0, number) }
            }
        )
    }

    subscript(delivery: Delivery) -> Int {
        if isBySource { return delivery.source }
        guard let type = delivery.message.properties.type else { return untyped }
        return byType[type] ?? priorities.count - 1
    }
}

/// Takes messages whose type no kind of work has.
private struct UnknownTypeHandler: Handler {
    let batchLimit = 1

    func handle(_ deliveries: [Delivery], in context: HandlerContext) -> [Outcome] {
        let failure = Failure(
            code: "UNKNOWN_TYPE",
            reason: "this worker has no handler for the message's type property"
        )
        return deliveries.map { _ in .deadLetter(failure) }
    }

    func record(_ failed: [FailedDelivery], in context: HandlerContext) {}
}
