import TestSupport
import Testing

@testable import Tasks

struct LifeSimulationTests {
    /// A million events in any order, among them stale runs, messages that come twice or never,
    /// processes that die between two steps and workers that finish what was taken from them.
    @Test(arguments: [1, 2]) func theInvariantsHoldOverAMillionEvents(seed: UInt64) {
        var simulation = LifeSimulation(seed: seed)
        for _ in 0..<500_000 {
            simulation.step()
            if simulation.breach != nil { break }
        }
        #expect(simulation.breach == nil, "seed \(seed)")
        // Each event has moved a task, and each that a fence can hold off was held off.
        for kind in TaskEvent.Kind.allCases {
            #expect(simulation.applied[kind.rawValue] > 50, "\(kind)")
            if Transition.of(kind).fences.contains(.run) {
                #expect(simulation.refused[kind.rawValue] > 50, "\(kind)")
            }
        }
        #expect(simulation.restarts > 100)
    }
}

/// Tasks, their messages, and who works on them. Flat arrays: it has to be quick without
/// optimisation too.
struct LifeSimulation {
    private struct Message {
        var task: Int
        var run: Int
    }

    private struct Publication {
        var task: Int
        var run: Int
        var lease: Int
    }

    private struct Held {
        var task: Int
        var run: Int
        var worker: Int
    }

    /// A task that another one waits for.
    private struct Need {
        var task: Int
        /// Others may take its place.
        var birth: Int
        var end: TaskState?
    }

    private static let tasks = 12
    private static let workers = 3

    private var random: SeededGenerator
    private var now = 0
    private var lives: [TaskLife]
    /// Messages of its present run that are on the broker, for each task.
    private var messages = [Int](repeating: 0, count: tasks)
    /// Whether its last message may have been lost by the broker.
    private var mayBeLost = [Bool](repeating: false, count: tasks)
    private var births = [Int](repeating: 0, count: tasks)
    private var needs = [Need?](repeating: nil, count: tasks)
    private var queue: [Message] = []
    private var publications: [Publication] = []
    private var confirms: [Publication] = []
    private var held: [Held] = []
    private(set) var applied = [Int](repeating: 0, count: TaskEvent.Kind.allCases.count)
    private(set) var refused = [Int](repeating: 0, count: TaskEvent.Kind.allCases.count)
    private(set) var restarts = 0
    private(set) var breach: String?

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        lives = (0..<Self.tasks).map { _ in TaskLife.submitted(at: 0) }
        for task in 0..<Self.tasks { publish(task) }
    }

    private mutating func draw(_ bound: Int) -> Int { Int(random.next() >> 33) % bound }

    mutating func step() {
        now += draw(300)
        switch draw(16) {
        case 0, 1: begin()
        case 2, 3, 4: publishOne()
        case 5: confirm()
        case 6, 7, 8: deliver()
        case 9, 10, 11: finish()
        case 12: loseAWorker()
        case 13: ask()
        case 14: look()
        case _: misfortune()
        }
    }

    // MARK: Steps

    /// A new task takes the place of one that has ended.
    private mutating func begin() {
        let task = draw(Self.tasks)
        guard lives[task].state.isFinal else { return look() }
        if draw(4) == 0 {
            apply(TaskEvent(.retriedByHand), to: task)
            return
        }
        restarts += 1
        let need = draw(Self.tasks)
        needs[task] = draw(4) == 0 && need != task ? Need(task: need, birth: births[need]) : nil
        births[task] += 1
        lives[task] = TaskLife.submitted(
            at: now,
            hasNeeds: needs[task] != nil,
            runAt: needs[task] == nil && draw(3) == 0 ? now + draw(5_000) : nil,
            deadline: draw(3) == 0 ? now + draw(60_000) : nil,
            maxAttempts: 1 + draw(3)
        )
        forget(task)
        publish(task)
    }

    /// What is left of the old one names another task in truth.
    private mutating func forget(_ task: Int) {
        queue.removeAll { $0.task == task }
        publications.removeAll { $0.task == task }
        confirms.removeAll { $0.task == task }
        held.removeAll { $0.task == task }
        messages[task] = 0
        mayBeLost[task] = false
    }

    private mutating func publish(_ task: Int) {
        guard lives[task].state == .queued, let lease = lives[task].due else { return }
        publications.append(.init(task: task, run: lives[task].run, lease: lease))
    }

    private mutating func publishOne() {
        if publications.isEmpty { return look() }
        let next = publications.remove(at: draw(publications.count))
        send(.init(task: next.task, run: next.run))
        confirms.append(next)
    }

    private mutating func send(_ message: Message) {
        queue.append(message)
        if message.run == lives[message.task].run { messages[message.task] += 1 }
    }

    private mutating func confirm() {
        if confirms.isEmpty { return }
        let next = confirms.remove(at: draw(confirms.count))
        apply(TaskEvent(.published, run: next.run, lease: next.lease), to: next.task)
    }

    private mutating func deliver() {
        if queue.isEmpty { return }
        let index = draw(queue.count)
        let message = queue[index]
        let worker = 1 + draw(Self.workers)
        if draw(8) == 0 {
            // It is acked all the same.
            take(index)
            apply(TaskEvent(.unhandled, run: message.run), to: message.task)
            publish(message.task)
            return
        }
        // Some are delivered twice.
        if draw(6) > 0 { take(index) }
        let claim = TaskEvent(.claimed, run: message.run, worker: worker)
        if apply(claim, to: message.task) {
            held.append(.init(task: message.task, run: message.run, worker: worker))
        }
    }

    private mutating func take(_ index: Int) {
        let message = queue.remove(at: index)
        if message.run == lives[message.task].run { messages[message.task] -= 1 }
    }

    /// By a worker that holds, or has held, a run.
    private mutating func finish() {
        if held.isEmpty { return }
        let index = draw(held.count)
        let (task, run, worker) = (held[index].task, held[index].run, held[index].worker)
        let kinds: [TaskEvent.Kind] = [
            .succeeded, .failed, .failed, .snoozed, .handedOver, .progressed, .stopped, .givenBack,
        ]
        var event = TaskEvent(kinds[draw(kinds.count)], run: run, worker: worker, delay: 1_000)
        event.retries = draw(4) > 0
        apply(event, to: task)
        // Some come once more, late.
        if draw(3) > 0, event.kind != .handedOver, event.kind != .progressed {
            held.remove(at: index)
        }
        if held.count > 200 { held.removeFirst(100) }
    }

    /// It may live on and finish what was taken from it.
    private mutating func loseAWorker() {
        if draw(8) > 0 { return }
        let worker = 1 + draw(Self.workers)
        let runs = lives.count { $0.state == .processing && $0.worker == worker }
        for task in 0..<Self.tasks where lives[task].state == .processing {
            var event = TaskEvent(.lost, worker: worker)
            event.isAlone = runs == 1
            event.isOnHost = draw(3) > 0
            apply(event, to: task)
        }
    }

    private mutating func ask() {
        let task = draw(Self.tasks)
        apply(TaskEvent(draw(3) == 0 ? .cancelAsked : .priorityChanged), to: task)
    }

    /// The scheduler's turn.
    private mutating func look() {
        let task = draw(Self.tasks)
        if let need = needs[task], lives[task].state == .blocked {
            var event = TaskEvent(.looked)
            let state = need.birth == births[need.task] ? lives[need.task].state : need.end
            event.needs =
                switch state {
                case .completed: .met
                case .failed, .cancelled, nil: .failed
                case _: .unmet
                }
            if apply(event, to: task) { return publish(task) }
        }
        if lives[task].state == .processing {
            apply(TaskEvent(.timedOut, delay: 1_000), to: task)
        } else if !apply(TaskEvent(.deadlinePassed), to: task), apply(TaskEvent(.due), to: task) {
            publish(task)
        }
    }

    private mutating func misfortune() {
        switch draw(3) {
        case 0: publications.removeAll()
        case 1: confirms.removeAll()
        case _:
            if queue.isEmpty { return }
            let index = draw(queue.count)
            let message = queue[index]
            if draw(2) == 0 {
                send(message)
            } else {
                take(index)
                if message.run == lives[message.task].run { mayBeLost[message.task] = true }
            }
        }
        let task = draw(Self.tasks)
        if mayBeLost[task] {
            if apply(TaskEvent(.missing), to: task) { publish(task) }
        }
    }

    // MARK: Invariants

    @discardableResult
    private mutating func apply(_ event: TaskEvent, to task: Int) -> Bool {
        let before = lives[task]
        let moved = lives[task].apply(event, at: now)
        if moved { applied[event.kind.rawValue] += 1 } else { refused[event.kind.rawValue] += 1 }
        let after = lives[task]
        if after.state.isFinal, !before.state.isFinal { wakeDependents(of: task) }
        if after.run != before.run {
            messages[task] = 0
            mayBeLost[task] = false
        }
        check(event, before, after, task)
        return moved
    }

    private mutating func wakeDependents(of task: Int) {
        for other in needs.indices {
            guard let need = needs[other], need.task == task, need.birth == births[task] else {
                continue
            }
            needs[other]?.end = lives[task].state
            apply(TaskEvent(.woken), to: other)
        }
    }

    private mutating func check(
        _ event: TaskEvent,
        _ before: TaskLife,
        _ after: TaskLife,
        _ task: Int
    ) {
        func fail(_ rule: String) { breach = breach ?? "\(rule): \(event), \(before), \(after)" }
        let isByHand = event.kind == .retriedByHand
        if before.state.isFinal, !isByHand, after != before { fail("a final state changes") }
        if after.run < before.run { fail("the run shrinks") }
        if after.run > before.run + 1 { fail("the run skips one") }
        if after.attempts > before.attempts, event.kind != .failed, event.kind != .timedOut {
            fail("an attempt without a failure")
        }
        if after.attempts > after.maxAttempts { fail("more attempts than allowed") }
        // Said once more, not read from the table.
        if event.run > 0, event.run != before.run, after != before {
            fail("a fenced-off write lands")
        }
        if after.state == .processing, before.state != .processing, before.cancelAt != nil {
            fail("a cancelled task runs")
        }
        if before.state == .processing, before.cancelAt != nil, after.state != .processing,
            !after.state.isFinal
        {
            fail("a cancelled task goes on")
        }
        if (after.state == .processing) != (before.state == .processing),
            after.state == .processing,
            event.kind != .claimed
        {
            fail("a run without a claim")
        }
        if after.state.isFinal || after.due != nil { return }
        let isKnown =
            switch after.state {
            case .processing: after.worker != nil
            case .blocked:
                needs[task].map { $0.birth == births[$0.task] && !lives[$0.task].state.isFinal }
                    ?? false
            case _: messages[task] > 0 || mayBeLost[task]
            }
        if !isKnown { fail("nothing will move it") }
    }
}
