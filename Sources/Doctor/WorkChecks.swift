import AMQP
import Operations
import WorkerHealth

/// Who takes messages from the queue.
struct ConsumersCheck: Check {
    let name = "consumers"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let queue = seen.broker.queues.first, case .exists(let depth) = queue.presence else {
            return []
        }
        let workers = seen.database.session?.workers
        if depth.consumers == 0 {
            if depth.ready == 0 {
                return [
                    .note("no worker consumes \(queue.name), where nothing waits", by: .amqp)
                ]
            }
            let remedy =
                workers.map { $0.isEmpty } ?? true
                ? "start a worker" : "see what keeps the workers that run (amity status)"
            return [
                .error(
                    """
                    \(depth.ready) messages wait in \(queue.name) and no worker consumes it: \
                    \(remedy)
                    """,
                    by: .amqp
                )
            ]
        }
        if let consuming = workers?.count(where: \.isConsuming), depth.consumers > consuming {
            return others(depth.consumers, consuming, queue.name, in: seen)
        }
        return [.ok("\(depth.consumers) consume", by: .amqp)]
    }

    /// With a higher priority another consumer takes everything; with the same, its share.
    private func others(
        _ consumers: Int,
        _ workers: Int,
        _ queue: String,
        in seen: DoctorSnapshot
    ) -> [Finding] {
        let counts =
            "\(consumers) consumers have \(queue), and \(workers) workers report themselves here"
        guard case .seen(let report) = seen.management, !report.consumers.isEmpty else {
            return [
                .warning(
                    """
                    \(counts): who else takes messages does not score them here; \
                    RABBITMQ_MANAGEMENT_URL lets the doctor name it
                    """,
                    by: .amqp
                )
            ]
        }
        // Those that are not Amity's are named as such.
        if report.consumers.contains(where: { !$0.isAmity }) {
            return [.ok("\(consumers) consume", by: .amqp)]
        }
        let names = report.consumers.map { consumer in
            let priority = consumer.priority.map { " with priority \($0)" } ?? ""
            return consumer.connection + priority
        }
        return [
            .warning(
                """
                \(counts): \(names.joined(separator: ", ")); one of them works on another \
                database, or may not write its row there
                """,
                by: .management
            )
        ]
    }
}

struct DeadLettersCheck: Check {
    let name = "dead-letters"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        let name = seen.options.topology.names.dead
        guard let queue = seen.broker.queues.first(where: { $0.name == name }),
            case .exists(let depth) = queue.presence
        else { return [] }
        if depth.ready == 0 { return [.ok("none", by: .amqp)] }
        let limit = seen.options.alertDeadLetters
        let text = "\(depth.ready) in \(name): amity dead-letters list says why"
        if limit == 0 || depth.ready < limit { return [.note(text, by: .amqp)] }
        return [
            .warning("\(text) (ALERT_DEAD_LETTERS is \(limit))", by: .amqp)
        ]
    }
}

/// Workers that run, and do not work.
struct WorkersCheck: Check {
    let name = "workers"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let workers = seen.database.session?.workers else { return [] }
        var names: [String: [String]] = [:]
        var texts: [String] = []
        for worker in workers {
            for text in complaints(of: worker) {
                if names[text] == nil { texts.append(text) }
                names[text, default: []].append(worker.name)
            }
        }
        if texts.isEmpty {
            return [.ok("\(workers.count) report themselves, and no problem", by: .database)]
        }
        // Where another worker does the work, it goes on more slowly.
        let isStopped = !workers.contains { $0.state == "ready" } && seen.hasWaiting
        return texts.map { text in
            let line = "\(shown(names[text] ?? [])): \(text)"
            return isStopped ? .error(line, by: .database) : .warning(line, by: .database)
        }
    }

    private func complaints(of worker: WorkerSnapshot) -> [String] {
        let problems = worker.problems.map { problem in
            "\(problem.link): \(problem.text)" + (problem.remedy.map { ": \($0)" } ?? "")
        }
        let reasons = worker.reasons.compactMap { reason -> String? in
            switch reason {
            case Readiness.Blocker.consumptionOff.rawValue:
                "paused \(pause(of: worker)): kill -USR2 to the process lets it go on"
            case Readiness.Blocker.draining.rawValue: nil
            case _: problems.isEmpty ? "not ready: \(reason)" : nil
            }
        }
        return reasons + problems
    }

    private func pause(of worker: WorkerSnapshot) -> String {
        guard let pause = worker.pause else { return "by an operator (SIGUSR1)" }
        let minutes = Int(pause.secondsAgo / 60)
        return "by an operator (\(pause.by)) for \(minutes) min"
    }

    private func shown(_ names: [String]) -> String {
        let more = names.count > 5 ? " and \(names.count - 5) more" : ""
        return names.prefix(5).joined(separator: ", ") + more
    }
}

/// What the workers' monitor has found over time, which no single look can.
struct AlertsCheck: Check {
    let name = "alerts"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let session = seen.database.session, session.workers != nil else { return [] }
        let findings: [Finding] = session.alerts.compactMap { alert in
            let time = "for \(Int(max(0, alert.age) / 60)) min"
            let value = alert.value.map { " (\(Int($0.rounded())))" } ?? ""
            switch alert.name {
            case AlertName.noConsumers.rawValue, AlertName.deadLetters.rawValue,
                AlertName.foreignConsumers.rawValue, AlertName.brokerAlarm.rawValue:
                // Looked at just now, by the checks of that.
                return nil
            case AlertName.stalled.rawValue:
                return .error(
                    """
                    stalled \(time): messages wait, consumers are there, and none is settled; \
                    amity status shows what the workers do
                    """,
                    by: .database
                )
            case AlertName.queueDepth.rawValue:
                return .warning(
                    """
                    queue_depth \(time)\(value): more comes in than is scored; add workers or \
                    threads
                    """,
                    by: .database
                )
            case AlertName.oldestAge.rawValue:
                return .warning(
                    "oldest_age \(time)\(value): a conversation waits for so many seconds",
                    by: .database
                )
            case let name:
                return .warning("\(name) \(time)\(value): see amity status", by: .database)
            }
        }
        return findings.isEmpty ? [.ok("none is raised", by: .database)] : findings
    }
}

extension WorkerSnapshot {
    /// Whether it has a consumer, as far as it says. One that waits for the database may still have
    /// it.
    fileprivate var isConsuming: Bool {
        let without = Readiness.Blocker.withoutConsumer.map(\.rawValue)
        return !reasons.contains(where: without.contains)
    }
}

extension DoctorSnapshot {
    /// Whether messages wait in the main queue.
    var hasWaiting: Bool {
        if case .exists(let depth) = broker.queues.first?.presence {
            depth.ready > 0
        } else {
            false
        }
    }
}
