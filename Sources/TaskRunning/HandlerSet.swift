import Concurrency
import Postgres
import TaskTypes
import Tasks

/// What a worker can run: Swift code and commands of its own, by the name of the type, and any
/// service that the table of types names.
package struct HandlerSet: Sendable {
    /// Makes the handler of a service.
    ///
    /// - Parameter secret: the name of the environment variable with its key.
    package typealias MakeService = @Sendable (_ url: String, _ secret: String?) -> any RunHandler

    package var swift: [String: any RunHandler]
    package var commands: [String: any RunHandler]
    package var service: MakeService?
    /// Makes what tells receivers of ends; it is given the worker's store.
    package var callbacks: (@Sendable (TaskStore) -> any RunHandler)?

    package init(
        swift: [String: any RunHandler] = [:],
        commands: [String: any RunHandler] = [:],
        service: MakeService? = nil
    ) {
        self.swift = swift
        self.commands = commands
        self.service = service
    }

    /// With all that needs the worker's store.
    func complete(with store: TaskStore) -> HandlerSet {
        var set = self
        // After all others: no code of another package takes its name.
        if let callbacks { set.swift[TaskCallback.type] = callbacks(store) }
        return set
    }

    /// - Parameter type: as the table has it; nil where it does not.
    func handler(named name: String, of type: TaskType?) -> (any RunHandler)? {
        switch type?.handler {
        case nil: swift[name] ?? commands[name]
        case .swift: swift[name]
        case .command: commands[name]
        case .http(let url, let secret): service?(url, secret)
        }
    }
}

/// The table of types, as it was a moment ago.
final class TypeDirectory: Sendable {
    private struct State {
        var types: [String: TaskType] = [:]
        var readAt: ContinuousClock.Instant?
        /// When it did not help, by the name that was looked for.
        var missedAt: [String: ContinuousClock.Instant] = [:]
    }

    /// Chosen: so long an old URL may still be called.
    private static let lifetime = Duration.seconds(5)
    /// Between two looks for one name. Chosen: a new type is known at once, and messages that no
    /// worker here can run cost a query a second.
    private static let patience = Duration.seconds(1)

    private let store: TaskStore
    private let state = Locked(State())

    init(_ store: TaskStore) {
        self.store = store
    }

    /// Blocks for a query every few seconds. While the database is away the last answer holds.
    ///
    /// - Parameter find: nil where the type does not help.
    func find<Found>(
        _ name: String,
        _ find: (TaskType?) -> Found?
    ) throws(PostgresError) -> Found? {
        let now = ContinuousClock.now
        let known = state.withLock(\.self)
        let found = find(known.types[name])
        let since = found == nil ? known.missedAt[name] : known.readAt
        if let since, now < since + (found == nil ? Self.patience : Self.lifetime) { return found }
        do throws(PostgresError) {
            let types = try store.types()
            let byName = Dictionary(uniqueKeysWithValues: types.map { ($0.name, $0) })
            let foundNow = find(byName[name])
            state.withLock { state in
                (state.types, state.readAt) = (byName, now)
                state.missedAt = state.missedAt.filter { now < $0.value + Self.patience }
                if foundNow == nil { state.missedAt[name] = now }
            }
            return foundNow
        } catch {
            if found == nil { throw error }
            return found
        }
    }
}
