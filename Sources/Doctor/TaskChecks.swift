import Events

/// Tasks and types that no worker takes.
struct TaskWorkersCheck: Check {
    let name = "task-workers"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let tasks = seen.database.session?.tasks else { return [] }
        let taken = Set(tasks.workers.values.flatMap(\.pools))
        var findings: [Finding] = tasks.queued.sorted { $0.key < $1.key }.compactMap {
            pool,
            count in
            if count == 0 || taken.contains(pool) { return nil }
            return .error(
                """
                \(count) tasks are queued in pool \(pool), which no living worker takes: start \
                one with TASK_QUEUES=\(pool)
                """,
                by: .database
            )
        }
        // Where no worker takes a pool, all of its types are without one.
        let without = tasks.types.filter { type in
            taken.contains(type.pool) && !tasks.workers.values.contains { $0.runs(type) }
        }
        if !without.isEmpty {
            let names = without.prefix(10).map { "\($0.name) (pool \($0.pool))" }
            let more = without.count > 10 ? " and \(without.count - 10) more" : ""
            findings.append(
                .warning(
                    """
                    no living worker of its pool has code or a command for the type \
                    \(names.joined(separator: ", "))\(more): its tasks wait; add it, or name it in \
                    TASK_COMMANDS
                    """,
                    by: .database
                )
            )
        }
        if let finding = mixed(tasks) { findings.append(finding) }
        return findings.isEmpty
            ? [.ok("\(tasks.workers.count) workers take what there is", by: .database)] : findings
    }

    /// A pool whose workers cannot all run its types: they hand its tasks to each other.
    private func mixed(_ tasks: TaskSnapshot) -> Finding? {
        let pairs = tasks.types.flatMap { type in
            let workers = tasks.workers.values.filter { $0.pools.contains(type.pool) }
            let unable = workers.filter { !$0.runs(type) }
            if unable.count == workers.count { return [String]() }
            return unable.map { "\($0.name) (type \(type.name), pool \(type.pool))" }
        }
        if pairs.isEmpty { return nil }
        let more = pairs.count > 10 ? " and \(pairs.count - 10) more" : ""
        return .warning(
            """
            only some workers of a pool can run one of its types; not \
            \(pairs.sorted().prefix(10).joined(separator: ", "))\(more): each task that it is \
            handed waits 5 s. Give the type a pool of its own, and TASK_QUEUES of the workers \
            that can run it
            """,
            by: .database
        )
    }
}

/// Workers that run tasks alone: the others say it in the registry.
struct TaskResourcesCheck: Check {
    let name = "task-resources"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let session = seen.database.session, let tasks = session.tasks else { return [] }
        let told = Set((session.workers ?? []).map(\.name))
        let workers = tasks.workers.values.filter { !told.contains($0.name) }
        let findings: [Finding] = workers.sorted { $0.name < $1.name }.compactMap { worker in
            guard let short = worker.resources?.shortOf, !short.isEmpty else { return nil }
            return .warning(
                """
                \(worker.name) is short of \(short.joined(separator: ", ")): its log says how much \
                is left and what to do (worker.short-of)
                """,
                by: .database
            )
        }
        return findings.isEmpty ? [.ok("no worker is short of any", by: .database)] : findings
    }
}

/// Whether what is due is published.
struct TaskSchedulerCheck: Check {
    let name = "task-scheduler"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let tasks = seen.database.session?.tasks else { return [] }
        if tasks.hasLeader { return [.ok("one leads", by: .database)] }
        if !tasks.hasUnfinished { return [.ok("none leads, and none is needed", by: .database)] }
        return [
            .error(
                """
                no scheduler leads, so tasks are not begun, tried again or given back: an API, or \
                a worker with TASK_QUEUES, has one; its log says what keeps it (scheduler)
                """,
                by: .database
            )
        ]
    }
}

/// Handlers that never return.
struct TaskHangsCheck: Check {
    let name = "task-hangs"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let tasks = seen.database.session?.tasks else { return [] }
        let findings: [Finding] = tasks.workers.values.sorted { $0.name < $1.name }.compactMap {
            worker in
            guard let lost = worker.lost, lost > 0 else { return nil }
            return .warning(
                """
                \(worker.name) has lost \(lost) threads to handlers that do not return, and ends \
                with \(worker.threads): its log names their types (task.hangs)
                """,
                by: .database
            )
        }
        return findings.isEmpty ? [.ok("each handler returns", by: .database)] : findings
    }
}

/// One type that leaves no thread to others.
struct TaskThreadsCheck: Check {
    let name = "task-threads"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let tasks = seen.database.session?.tasks else { return [] }
        // One worker may take several pools.
        var filled: [String: [String]] = [:]
        for pool in Set(tasks.workers.values.flatMap(\.pools)).sorted() {
            let workers = tasks.workers.filter { $0.value.pools.contains(pool) }
            let threads = workers.values.reduce(0) { $0 + $1.threads }
            var running: [String: Int] = [:]
            for runs in tasks.longRuns where workers[runs.worker] != nil {
                running[runs.type, default: 0] += runs.count
            }
            for (type, count) in running where threads > 0 && count >= threads {
                filled[type, default: []].append(pool)
            }
        }
        let findings = filled.sorted { $0.key < $1.key }.map { type, pools in
            Finding.warning(
                """
                tasks of type \(type) have filled all threads of pool \
                \(pools.joined(separator: ", ")) for more than \(TaskSnapshot.long) min: give the \
                type a pool of its own, or a shorter timeout_seconds
                """,
                by: .database
            )
        }
        return findings.isEmpty ? [.ok("no type fills them all", by: .database)] : findings
    }
}

/// Events that are not sent.
struct EventsCheck: Check {
    let name = "events"

    /// Chosen, in seconds: the one that leads sends them five times a second.
    private static let late = 60.0

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let tasks = seen.database.session?.tasks else { return [] }
        if seen.options.writesTaskEvents, tasks.hasEventTriggers == false {
            return [
                .error(
                    """
                    EVENTS names tasks, and the triggers that write their events are not on \
                    amity_tasks, or are disabled: run amity migrate, or ALTER TABLE amity_tasks \
                    ENABLE TRIGGER USER
                    """,
                    by: .database
                )
            ]
        }
        guard let events = tasks.events else { return [] }
        guard let age = events.age, age >= Self.late else {
            return [.ok("\(events.count) wait to be sent", by: .database)]
        }
        let most = EventBacklog.mostCounted
        let count = events.count < most ? "\(events.count)" : "\(most) or more"
        return [
            .warning(
                """
                \(count) events wait in amity_outbox, the oldest for \(Int(age)) s: the process \
                whose scheduler leads sends them (an API, or a worker with TASK_QUEUES or \
                EVENTS); its log says what keeps it (events)
                """,
                by: .database
            )
        ]
    }
}
