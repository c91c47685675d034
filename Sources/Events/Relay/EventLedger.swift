/// Which events are on their way to the broker, which wait behind those, and which rest after they
/// were not taken. Pure: its caller says what happens, and when.
///
/// Of one subject at most one event is on its way. Else a queue that refuses one event and takes
/// the next would get them in another order.
struct EventLedger {
    typealias Instant = ContinuousClock.Instant

    private struct Sent {
        var tag: UInt64
        var id: Int
        var at: Instant
    }

    private struct Subject {
        var sent: Sent?
        /// Rows that come after the one that is on its way, or rests.
        var behind: Set<Int> = []
        /// In a row.
        var failures = 0
        /// Whether the last one was the broker's no.
        var isRefused = false
        var restsUntil: Instant?
    }

    private var subjects: [String: Subject] = [:]
    private var tags: [UInt64: String] = [:]
    /// Rows that the broker has, and that are still in the table.
    private(set) var confirmed: Set<Int> = []

    /// An event that is not taken is tried again after a second, then after twice as long, at most
    /// after a minute: each time the queues that did take it get it again. Chosen.
    private static let (firstRest, longestRest) = (1, 60)

    /// Rows that are not to be read now.
    var held: Set<Int> {
        subjects.values.reduce(into: confirmed) { held, subject in
            held.formUnion(subject.behind)
            if let sent = subject.sent { held.insert(sent.id) }
        }
    }

    /// Since when the oldest event on its way has been; nil for none.
    var oldestSent: Instant? { subjects.values.compactMap { $0.sent?.at }.min() }

    /// Whether the broker has refused one that it has not taken since.
    var hasRefused: Bool { subjects.values.contains(where: \.isRefused) }

    /// Whether the next event of a subject may be sent.
    func isFree(_ subject: String) -> Bool {
        subjects[subject].map { $0.sent == nil && $0.restsUntil == nil } ?? true
    }

    mutating func wait(_ id: Int, behind subject: String) {
        subjects[subject, default: Subject()].behind.insert(id)
    }

    /// - Parameter tag: the number of its confirm.
    mutating func send(_ id: Int, of subject: String, as tag: UInt64, at now: Instant) {
        subjects[subject, default: Subject()].sent = Sent(tag: tag, id: id, at: now)
        tags[tag] = subject
    }

    /// Takes down an answer of the broker's.
    ///
    /// - Returns: the subject whose next event may be sent; nil where none may, or the answer is to
    ///   what has been forgotten.
    mutating func answer(_ tag: UInt64, isTaken: Bool, at now: Instant) -> String? {
        guard let subject = tags.removeValue(forKey: tag),
            let sent = subjects[subject]?.sent, sent.tag == tag
        else { return nil }
        guard isTaken else {
            rest(subject, isRefused: true, at: now)
            return nil
        }
        confirmed.insert(sent.id)
        subjects[subject] = nil
        return subject
    }

    /// What is on its way will not be answered.
    mutating func lose(at now: Instant) {
        for (name, subject) in subjects where subject.sent != nil {
            rest(name, isRefused: false, at: now)
        }
        tags = [:]
    }

    private mutating func rest(_ name: String, isRefused: Bool, at now: Instant) {
        var subject = subjects[name] ?? Subject()
        if let sent = subject.sent.take() { subject.behind.insert(sent.id) }
        let seconds = min(Self.firstRest << min(subject.failures, 10), Self.longestRest)
        subject.failures += 1
        subject.isRefused = isRefused
        subject.restsUntil = now + .seconds(seconds)
        subjects[name] = subject
    }

    /// Ends the rests that are over: their rows are to be read again.
    mutating func wake(at now: Instant) {
        for (name, subject) in subjects {
            guard let until = subject.restsUntil else {
                // Woken before, and its events have not been found: another process has them.
                if subject.sent == nil { subjects[name] = nil }
                continue
            }
            guard until <= now else { continue }
            subjects[name]?.restsUntil = nil
            subjects[name]?.behind = []
        }
    }

    /// They are gone from the table.
    mutating func delete(_ ids: Set<Int>) {
        confirmed.subtract(ids)
    }

    /// What is known of rows is no longer so: after a failure of the database they may be others'.
    mutating func forgetRows() {
        confirmed = []
        tags = [:]
        for name in subjects.keys {
            subjects[name]?.sent = nil
            subjects[name]?.behind = []
        }
        subjects = subjects.filter { $0.value.restsUntil != nil }
    }
}
