import Foundation
import Testing

/// The nodes that `deploy/dev/cluster-trial` has started.
struct Cluster: Sendable {
    let folder: String
    let password: String
    let ports: [String]

    static let seeds: [UInt64] =
        (ProcessInfo.processInfo.environment["AMITY_SEEDS"] ?? "1").split(separator: ",")
        .compactMap { UInt64($0) }

    /// nil where nothing was started.
    static let shared: Cluster? = {
        guard let text = ProcessInfo.processInfo.environment["AMITY_CLUSTER"] else { return nil }
        let pairs = text.split(separator: " ").map { $0.split(separator: "=", maxSplits: 1) }
        let values = Dictionary(
            uniqueKeysWithValues: pairs.map { (String($0[0]), String($0.last ?? "")) }
        )
        guard let folder = values["CLUSTER_DIR"], let password = values["CLUSTER_PASSWORD"],
            let ports = values["CLUSTER_PORTS"]
        else { return nil }
        return Cluster(
            folder: folder,
            password: password,
            ports: ports.split(separator: ",").map(String.init)
        )
    }()

    /// - Parameter node: the first to connect to, 1 to 3.
    func url(first node: Int) -> String {
        (0..<3).map { ports[(node - 1 + $0) % 3] }
            .map { "amqp://amity:\(password)@127.0.0.1:\($0)/%2F" }.joined(separator: ",")
    }

    @discardableResult
    func control(_ command: String, _ arguments: String...) throws -> String {
        let script = Servers.root.appending(path: "deploy/dev/cluster-trial")
        let done = try Command.run(script, [command, folder] + arguments)
        try #require(done.status == 0, "\(command): \(done.error)")
        return done.output
    }

    /// The node that an address of a worker's log leads to.
    func node(at address: String) throws -> Int {
        try #require(ports.firstIndex { address.hasSuffix(":\($0)") }) + 1
    }

    /// The node that a worker consumed from last.
    func node(of worker: RunningWorker) throws -> Int {
        try node(at: worker.events("consumer.started").last?["host"] as? String ?? "")
    }

    /// Messages in each queue, ready or unsettled, as a node sees it.
    func counts(from node: Int) throws -> [String: Int] {
        let list = try control(
            "ctl",
            "\(node)",
            "list_queues",
            "--no-table-headers",
            "name",
            "messages"
        )
        return TestQueue.counts(in: list)
    }
}
