import DequeModule
import Messaging
import TestSupport

@testable import Consuming
@testable import WorkerRuntime

/// A broker, a database and handlers around one consumer, all of them values.
struct ConsumerSimulation {
    private let conversations: Int
    private let prefetch: Int
    private static let threads = 3
    private static let eager = 2  // See `Inbox`.
    /// Messages without a type are about even conversations, those of the other type about odd
    /// ones.
    private static let kinds = WorkKindIndex(
        types: [nil, "rare"],
        priorities: [.high, .low, .normal]
    )
    private static let batchLimits = [2, 3, 1]

    private var random: SeededGenerator
    private var machine: ConsumerStateMachine
    private var now = ContinuousClock.now
    private(set) var events = 0
    private(set) var seen: Set<Event> = []

    // The broker: message n is about conversation n / 2, so each conversation is queued twice.
    private var queue: Deque<Int>
    private var outstanding: [UInt64: Int] = [:]
    private var nextTag: UInt64 = 1
    private var hasSession = false
    /// Draining.
    private var isCancelled = false
    /// It drains to connect to another node.
    private var isMoving = false
    private var isPaused = false
    private var acked: Set<Int> = []

    // The worker, which may be killed and started again.
    private var process = 0
    private var isUp = true
    private var inbox = Inbox(limit: threads, kinds: kinds)
    /// The same as it should be: what waits of each kind.
    private var waiting: [Deque<Delivery>] = [[], []]
    /// Starts of the other kind since one of this kind, while this kind waited.
    private var passedOver = [0, 0]
    private var starts = 0
    /// Operations that are about to look for work.
    private var operations = 0
    private var running: [Running] = []
    /// When an operation looks again that waits for a batch to grow.
    private var later: ContinuousClock.Instant?
    private var posted: [Completion] = []
    /// Messages that were delivered before.
    private var delivered: Set<Int> = []

    // The database.
    private var effects: [Int]

    /// - Parameter conversations: up to 128.
    init(seed: UInt64, conversations: Int = 20, prefetch: Int = 8) {
        random = SeededGenerator(seed: seed)
        machine = Self.machine(random)
        self.conversations = conversations
        self.prefetch = prefetch
        queue = Deque(0..<2 * conversations)
        effects = [Int](repeating: 0, count: conversations)
    }

    private static func machine(_ random: SeededGenerator) -> ConsumerStateMachine {
        ConsumerStateMachine(drainTimeout: .seconds(20), random: random)
    }

    /// - Returns: what was violated, nil when nothing was.
    mutating func run(steps: Int) -> String? {
        for _ in 0..<steps {
            let event = Event.allCases[pick(Event.allCases.count)]
            if let violation = step(event) { return violation }
        }
        return quiesce()
    }

    /// Deliveries come as fast as the prefetch count lets them.
    mutating func runUnderBacklog(steps: Int) -> String? {
        let healthy: [Event] = [.begin, .finish, .settle, .flush]
        if let violation = step(.reconnect) { return violation }
        for _ in 0..<steps {
            while outstanding.count < prefetch, !queue.isEmpty {
                if let violation = step(.deliver) { return violation }
            }
            if let violation = step(healthy[pick(healthy.count)]) { return violation }
        }
        return quiesce()
    }

    /// Faults end; whatever is left is worked off.
    private mutating func quiesce() -> String? {
        let inSession: [Event] = [.deliver, .begin, .later, .finish, .settle, .forgetStale, .flush]
        let healing = [.restart, .reconnect, .resume] + inSession
        for _ in 0..<10_000 where acked.count < 2 * conversations {
            for event in healing {
                if let violation = step(event) { return violation }
            }
        }
        if acked.count < 2 * conversations {
            return "\(2 * conversations - acked.count) messages were never settled"
        }
        return effects.allSatisfy { $0 == 1 } ? nil : "effects \(effects)"
    }

    private mutating func pick(_ count: Int) -> Int {
        Int.random(in: 0..<count, using: &random)
    }

    private mutating func step(_ event: Event) -> String? {
        events += 1
        let violation = perform(event) ?? watch()
        if machine.unsettled != (hasSession ? outstanding.count : 0), posted.isEmpty, isUp {
            // Decisions whose frames are not sent yet are outstanding for both.
            return violation ?? "the machine counts \(machine.unsettled), the broker \(outstanding)"
        }
        return outstanding.count > prefetch ? "more in flight than prefetch" : violation
    }

    /// Whatever waits, an operation comes for it or looks at it in time, unless all are busy.
    private func watch() -> String? {
        let busy = running.count { $0.process == process }
        let isWatched = operations > 0 || later != nil || busy >= Self.threads || !isUp
        return isWatched || waiting.allSatisfy(\.isEmpty) ? nil : "no thread comes"
    }

    private mutating func perform(_ event: Event) -> String? {
        switch event {
        case .deliver where hasSession && !isCancelled && !isPaused: return deliver(as: event)
        case .deliverAfterPause where hasSession && !isCancelled && isPaused && pick(8) == 0:
            return deliver(as: event)
        case .pause where isUp && !isPaused && pick(4) == 0: return setConsumption(isOn: false)
        case .resume where isUp && isPaused: return setConsumption(isOn: true)
        case .deliverAfterCancel where hasSession && isCancelled: return deliver(as: event)
        case .begin where isUp && operations > 0:
            seen.insert(event)
            return begin()
        case .later where isUp && later.map({ $0 <= now }) ?? false:
            seen.insert(event)
            inbox.finished(.later(now), in: .zero)
            later = nil
            operations += 1 + inbox.operationsToStart(batchLimits: Self.batchLimits)
        case .finish where !running.isEmpty: finish(ack: true)
        case .interrupt where !running.isEmpty: finish(ack: false)
        case .settle, .forgetStale:
            if posted.isEmpty { return nil }
            let completion = posted.remove(at: pick(posted.count))
            let counts = machine.settled(completion)
            seen.insert(counts ? .settle : .forgetStale)
            let isLive = hasSession && completion.id.session == machine.session
            return counts == isLive ? nil : "completion \(completion) counts: \(counts)"
        case .flush where isUp:
            seen.insert(.flush)
            return flush()
        case .loseSession where hasSession && !isCancelled: return loseSession()
        case .loseWhileDraining where hasSession && isCancelled && pick(4) == 0:
            return loseSession()
        case .reconnect where isUp && !hasSession:
            machine.opened(isConsuming: !isPaused)
            hasSession = true
            isCancelled = false
            nextTag = 1
        case .drain where hasSession && !isCancelled && pick(20) == 0:
            return drain(toMove: false)
        case .move where hasSession && !isCancelled && pick(10) == 0: return drain(toMove: true)
        case .drainOfAMove where hasSession && isMoving && pick(4) == 0:
            if machine.drainRequested(at: now) != nil { return "a drain of a move acts" }
            isMoving = false
        case .drainTimesOut where hasSession && isCancelled && pick(10) == 0:
            now += .seconds(20)
            return endTurn()
        case .kill where isUp && pick(20) == 0: die()
        case .restart where !isUp:
            process += 1
            isUp = true
            isPaused = false
            inbox = Inbox(limit: Self.threads, kinds: Self.kinds)
            (starts, operations, later) = (0, 0, nil)
            machine = Self.machine(random)
        case _: return nil
        }
        seen.insert(event)
        return nil
    }

    private mutating func deliver(as event: Event) -> String? {
        guard outstanding.count < prefetch, let message = queue.popFirst() else { return nil }
        seen.insert(event)
        let tag = nextTag
        nextTag += 1
        outstanding[tag] = message
        switch machine.delivered(tag: tag) {
        case .dispatch(let id):
            if isCancelled || isPaused { return "dispatched while not asked for" }
            let delivery = delivery(id, of: message)
            inbox.add([delivery])
            waiting[kind(of: message)].append(delivery)
            operations += inbox.operationsToStart(batchLimits: Self.batchLimits)
        case .giveBack:
            if !isCancelled && !isPaused { return "given back while consuming" }
        }
        return nil
    }

    private func kind(of message: Int) -> Int { message / 2 % 5 == 0 ? 1 : 0 }

    private mutating func delivery(_ id: DeliveryID, of message: Int) -> Delivery {
        var properties = MessageProperties()
        properties.type = kind(of: message) == 0 ? nil : "rare"
        return Delivery(
            id: id,
            message: Message(properties: properties, body: [UInt8(message)]),
            redelivered: !delivered.insert(message).inserted,
            receivedAt: now
        )
    }

    private mutating func begin() -> String? {
        operations -= 1
        let busy = running.count { $0.process == process }
        let next = inbox.next(batchLimits: Self.batchLimits, at: now)
        operations += inbox.operationsToStart(batchLimits: Self.batchLimits)
        guard let work = next else { return nil }
        if case .later(let time) = work {
            later = time
            return busy >= Self.eager ? nil : "a batch waits for \(busy) threads"
        }
        guard case .batch(let batch, let kind, _) = work else { return "a suspect" }
        defer { running.append(Running(work: work, deliveries: batch, process: process)) }
        return check(batch, kind, busy)
    }

    /// - Returns: what is wrong with the choice of this batch.
    private mutating func check(_ batch: [Delivery], _ kind: Int, _ busy: Int) -> String? {
        let same = waiting[kind].prefix { $0.redelivered == batch[0].redelivered }
        if batch.map(\.id) != same.prefix(batch.count).map(\.id) { return "not in order" }
        let full = min(Self.batchLimits[kind], same.count)
        if batch.count > full { return "a batch of \(batch.count)" }
        if busy >= Self.eager - 1, batch.count < full {
            return "a batch of \(batch.count), not \(full)"
        }
        let other = 1 - kind
        let isOtherReady = isReady(other, busy)
        if !isReady(kind, busy), !isOtherReady || starts % 10 != 9 {
            return "a small batch beside \(busy)"
        }
        if batch.count == Self.batchLimits[kind] { seen.insert(.fullBatch) }
        waiting[kind].removeFirst(batch.count)
        starts += 1
        passedOver[kind] = 0
        if waiting[other].isEmpty { return nil }
        if kind == 0 || isOtherReady { passedOver[other] += 1 }
        if kind == 0 {
            seen.insert(.startOfHigherPriority)
        } else {
            seen.insert(.fairStart)
            if isOtherReady, starts % 10 != 0 { return "a lower priority at start \(starts)" }
        }
        return passedOver[other] <= 9 ? nil : "passed over \(passedOver[other]) times"
    }

    /// Whether a batch of a kind may start beside those that are busy.
    private func isReady(_ kind: Int, _ busy: Int) -> Bool {
        guard let first = waiting[kind].first else { return false }
        return busy < Self.eager || first.receivedAt + .milliseconds(50) <= now
    }

    private mutating func forgetWaiting() {
        waiting = [[], []]
        passedOver = [0, 0]
    }

    private mutating func finish(ack: Bool) {
        let done = running.remove(at: pick(running.count))
        for delivery in done.deliveries {
            // The row decides whether the conversation still counts.
            let conversation = Int(delivery.message.body[0]) / 2
            if ack, effects[conversation] == 0 { effects[conversation] = 1 }
        }
        // A process that has died posts nothing, though its commit may have gone through.
        guard done.process == process, isUp else { return }
        posted += done.deliveries.map {
            Completion(id: $0.id, settlement: ack ? .ack : .requeue)
        }
        inbox.finished(done.work, in: .zero)
        operations += 1 + inbox.operationsToStart(batchLimits: Self.batchLimits)
    }

    private mutating func flush() -> String? {
        now += .milliseconds(pick(4))
        for frame in machine.frames(at: now, holding: inbox.load.acksToSpare(of: prefetch)) {
            let tags: [UInt64]
            switch frame {
            case .ack(let tag, let multiple):
                guard outstanding[tag] != nil else { return "406: ack of unknown tag \(tag)" }
                tags = multiple ? outstanding.keys.filter { $0 <= tag } : [tag]
                for tag in tags {
                    guard let message = outstanding.removeValue(forKey: tag) else { continue }
                    if effects[message / 2] != 1 { return "acked without its effect" }
                    acked.insert(message)
                }
            case .requeue(let tag):
                guard let message = outstanding.removeValue(forKey: tag) else {
                    return "406: requeue of unknown tag \(tag)"
                }
                queue.prepend(message)
            }
        }
        return endTurn()
    }

    private mutating func endTurn() -> String? {
        guard let action = machine.turnEnded(at: now) else { return nil }
        guard case .close(let unfinished) = action else { return "a turn ended with \(action)" }
        if unfinished > 0 { seen.insert(.drainTimesOut) }
        if unfinished == 0, !outstanding.isEmpty { return "closed with work outstanding" }
        if !isMoving {
            die()
            return machine.next == .stop ? nil : "a drain goes on"
        }
        returnOutstanding()
        return machine.next == .connect(after: .zero) ? nil : "a move ends"
    }

    private mutating func loseSession() -> String? {
        let wasDraining = isCancelled && !isMoving
        seen.insert(wasDraining ? .loseWhileDraining : .loseSession)
        returnOutstanding()
        let action = machine.sessionLost()
        if wasDraining {
            if action != .stop { return "a lost drain answers \(action)" }
            die()
        } else if case .connect(let delay) = action {
            if delay <= .zero || delay > .seconds(10) { return "a delay of \(delay)" }
        } else {
            return "a lost session answers \(action)"
        }
        return nil
    }

    private mutating func setConsumption(isOn: Bool) -> String? {
        isPaused = !isOn
        let action = machine.consumption(isOn: isOn)
        if machine.consumption(isOn: isOn) != nil { return "a second switch acts" }
        guard hasSession, !isCancelled else { return action == nil ? nil : "acts without need" }
        seen.insert(isOn ? .resume : .pause)
        if machine.isConsuming != isOn { return "consuming: \(machine.isConsuming)" }
        if isOn { return action == .resumeConsumer ? nil : "no resume" }
        return action == .cancelConsumer ? giveBack() : "no cancel"
    }

    private mutating func drain(toMove: Bool) -> String? {
        seen.insert(toMove ? .move : .drain)
        let actions = (0..<2).map { _ in
            toMove ? machine.moveRequested(at: now) : machine.drainRequested(at: now)
        }
        if actions != [.cancelConsumer, nil] { return "a request answers \(actions)" }
        (isCancelled, isMoving) = (true, toMove)
        return giveBack()
    }

    private mutating func giveBack() -> String? {
        let withdrawn = inbox.withdraw()
        if withdrawn.map(\.id.tag) != waiting.joined().map(\.id.tag).sorted() {
            return "what waits is not what is given back"
        }
        for waiting in withdrawn {
            if !machine.settled(Completion(id: waiting.id, settlement: .requeue)) {
                return "cannot give back what has not begun"
            }
        }
        forgetWaiting()
        return nil
    }

    /// The process is gone; what it held is the broker's. Its statements may still commit.
    private mutating func die() {
        returnOutstanding()
        posted.removeAll()
        isUp = false
        // Of what ran, some never happens.
        if pick(2) == 0 { running.removeAll() }
    }

    private mutating func returnOutstanding() {
        for tag in outstanding.keys.sorted(by: >) { queue.prepend(outstanding[tag]!) }
        outstanding.removeAll()
        (hasSession, isMoving) = (false, false)
        _ = inbox.withdraw()
        forgetWaiting()
    }
}
