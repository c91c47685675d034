/// A variable that no setting has, and that resembles one that does: a setting that is silently
/// ignored.
package struct UnknownName: Sendable, Equatable {
    package let name: String
    /// The setting that is probably meant.
    package let likely: String

    /// Names near ours that mean something to other programs of the same containers.
    private static let others: Set<String> = [
        // RabbitMQ's own.
        "RABBITMQ_HOME", "RABBITMQ_BASE", "RABBITMQ_LOGS", "RABBITMQ_NODENAME",
        // Of web servers.
        "HTTPS_HOST", "HTTPS_PORT",
        // What `amity doctor` reads.
        "WORKER_REPLICAS",
    ]

    /// A longer name may differ in more places and still be meant. Chosen.
    private static let shortName = 10

    /// - Parameter names: of all variables there are, in any order.
    package static func among(_ names: some Sequence<String>) -> [UnknownName] {
        let settings = Setting.all.map(\.name)
        let twins = Setting.all.filter(\.isSecret).map { "\($0.name)_FILE" }
        let known = Set(settings + twins)
        return names.sorted().compactMap { name in
            if known.contains(name) || others.contains(name) { return nil }
            let meant = likely(name, settings + twins)
            return meant.map { UnknownName(name: name, likely: $0) }
        }
    }

    private static func likely(_ name: String, _ known: [String]) -> String? {
        let plain = name.uppercased().replacing("-", with: "_")
        if known.contains(plain) { return plain }
        // Only secrets are read from files.
        if plain.hasSuffix("_FILE"), known.contains(String(plain.dropLast(5))) {
            return String(plain.dropLast(5))
        }
        let bytes = Array(plain.utf8)
        let limit = bytes.count < shortName ? 1 : 2
        let near = known.map { (name: $0, distance: distance(bytes, Array($0.utf8))) }
        return near.filter { $0.distance <= limit }.min { $0.distance < $1.distance }?.name
    }

    /// How many characters have to be put in, left out, exchanged or swapped with the next.
    private static func distance(_ one: [UInt8], _ other: [UInt8]) -> Int {
        // Enough to know that it is too far.
        if abs(one.count - other.count) > 2 { return 3 }
        var rows = [Array(0...other.count)]
        for (i, left) in one.enumerated() {
            var row = [i + 1]
            for (j, right) in other.enumerated() {
                var least = min(
                    rows[i][j + 1] + 1,
                    row[j] + 1,
                    rows[i][j] + (left == right ? 0 : 1)
                )
                if i > 0, j > 0, left == other[j - 1], one[i - 1] == right {
                    least = min(least, rows[i - 1][j - 1] + 1)
                }
                row.append(least)
            }
            rows.append(row)
        }
        return rows[one.count][other.count]
    }
}
