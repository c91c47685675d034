import Concurrency

/// The hosts that one target names, and what the sessions of this process have found out about
/// them: which one to ask first, and which has fallen silent. All copies of the target share it.
final class DatabaseHosts: Sendable {
    private struct State {
        var first = 0
        /// By host: how often an answer did not come.
        var silences: [Int]
    }

    let count: Int
    /// Of the keywords that list one value for each host.
    private let lists: [String: [String]]
    private let state: Locked<State>

    init(_ keywords: [String: String]) {
        var lists: [String: [String]] = [:]
        for name in ["host", "hostaddr", "port"] {
            lists[name] = keywords[name]?.split(separator: ",", omittingEmptySubsequences: false)
                .map(String.init)
        }
        let count = max(1, lists["host"]?.count ?? 1, lists["hostaddr"]?.count ?? 1)
        self.count = count
        // One port may stand for all hosts.
        self.lists = lists.filter { $0.value.count == count }
        state = Locked(State(silences: Array(repeating: 0, count: count)))
    }

    /// The keywords in the order in which the hosts are to be asked. A frozen host costs each
    /// session that begins with it the whole time to connect, so the one that was connected last
    /// comes first, and one that has fallen silent last.
    func ordered() -> [String: String] {
        let first = state.withLock(\.first)
        return lists.mapValues { ($0[first...] + $0[..<first]).joined(separator: ",") }
    }

    /// How often each host has fallen silent.
    var silences: [Int] { state.withLock(\.silences) }

    /// - Returns: which of the hosts it is.
    func connected(to host: String, _ port: String) -> Int {
        let index = (0..<count).first { index in
            let names = ["host", "hostaddr"].compactMap { lists[$0]?[index] }
            let listed = lists["port"]?[index] ?? ""
            return names.contains(host) && (listed.isEmpty || listed == port)
        }
        guard let index else { return 0 }
        state.withLock { $0.first = index }
        return index
    }

    /// A session to it has waited for an answer in vain.
    func fellSilent(_ index: Int) {
        state.withLock { state in
            state.silences[index] += 1
            if state.first == index { state.first = (index + 1) % count }
        }
    }
}
