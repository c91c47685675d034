import Tasks

/// Which tasks of a batch need which, in layers: each task stands one layer behind the last of
/// those that it needs. Where there are too many tasks to draw, those of one type and layer are a
/// group. Pure.
package struct BatchGraph: Encodable, Sendable, Equatable {
    package struct Node: Encodable, Sendable, Equatable {
        package var id: String
        package var type: String
        package var state: String
        package var layer: Int
        /// In its layer, from 0 on.
        package var row: Int
        /// Places in `nodes`.
        package var needs: [Int]
        /// Tasks that it needs and that are not shown: of another batch, or of none.
        package var outside: Int
    }

    package struct Group: Encodable, Sendable, Equatable {
        package var type: String
        package var layer: Int
        package var row: Int
        package var total: Int
        /// Those of which there are any.
        package var states: [String: Int]
        /// Places in `groups`, of which some task needs one.
        package var needs: [Int]
    }

    /// Chosen: what a person can still follow.
    package static let mostNodes = 200
    /// Tasks that are read. Chosen: some hundredths of a second.
    package static let mostMembers = 5_000

    /// Empty where there are more than `mostNodes`.
    package var nodes: [Node] = []
    /// Empty where there are nodes.
    package var groups: [Group] = []
    /// Else there are more tasks than were read, or more groups than are drawn.
    package var isComplete: Bool

    /// - Parameters:
    ///   - members: oldest first, so that each comes after those that it needs.
    ///   - isComplete: whether these are all.
    package init(_ members: [BatchMember], isComplete: Bool = true) {
        self.isComplete = isComplete
        let places = Dictionary(uniqueKeysWithValues: members.enumerated().map { ($1.id, $0) })
        let needs = members.enumerated().map { number, member in
            // What is not older would be a circle; no client can make one.
            Set(member.needs.compactMap { places[$0] }.filter { $0 < number }).sorted()
        }
        let layers = Self.layers(needs)
        if members.count > Self.mostNodes {
            group(members, needs, layers)
        } else {
            let rows = Self.rows(needs, layers)
            nodes = members.indices.map { place in
                Node(
                    id: members[place].id.text,
                    type: members[place].type,
                    state: members[place].state.name,
                    layer: layers[place],
                    row: rows[place],
                    needs: needs[place],
                    outside: Set(members[place].needs).count - needs[place].count
                )
            }
        }
    }

    private mutating func group(_ members: [BatchMember], _ needs: [[Int]], _ layers: [Int]) {
        struct Key: Hashable {
            var layer: Int
            var type: String
        }
        var known: [Key: Int] = [:]
        var (groupOf, needed): ([Int?], [Set<Int>]) = ([], [])
        for (place, member) in members.enumerated() {
            let key = Key(layer: layers[place], type: member.type)
            if known[key] == nil {
                if groups.count == Self.mostNodes {
                    isComplete = false
                    groupOf.append(nil)
                    continue
                }
                known[key] = groups.count
                groups.append(
                    Group(
                        type: member.type,
                        layer: key.layer,
                        row: 0,
                        total: 0,
                        states: [:],
                        needs: []
                    )
                )
                needed.append([])
            }
            guard let group = known[key] else { continue }
            groupOf.append(group)
            groups[group].total += 1
            groups[group].states[member.state.name, default: 0] += 1
            needed[group].formUnion(needs[place].compactMap { groupOf[$0] })
        }
        let rows = Self.rows(needed.map { $0.sorted() }, groups.map(\.layer))
        for group in groups.indices {
            groups[group].needs = needed[group].sorted()
            groups[group].row = rows[group]
        }
    }

    /// The longest way from one that needs none.
    private static func layers(_ needs: [[Int]]) -> [Int] {
        var layers: [Int] = []
        for needed in needs { layers.append((needed.map { layers[$0] }.max() ?? -1) + 1) }
        return layers
    }

    /// Where each stands in its layer: near the middle of what it needs, and then of what needs it,
    /// so that fewer lines cross.
    private static func rows(_ needs: [[Int]], _ layers: [Int]) -> [Int] {
        var rows = Array(repeating: 0, count: needs.count)
        var needing: [[Int]] = needs.map { _ in [] }
        for (place, needed) in needs.enumerated() {
            for other in needed { needing[other].append(place) }
        }
        var columns: [[Int]] = Array(repeating: [], count: (layers.max() ?? -1) + 1)
        for (place, layer) in layers.enumerated() {
            rows[place] = columns[layer].count
            columns[layer].append(place)
        }
        func arrange(_ layer: Int, by others: [[Int]]) {
            func middle(_ place: Int) -> Double {
                let near = others[place]
                if near.isEmpty { return Double(rows[place]) }
                return Double(near.reduce(0) { $0 + rows[$1] }) / Double(near.count)
            }
            let wanted = columns[layer].map { (middle($0), rows[$0], $0) }
            columns[layer] = wanted.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
            for (row, place) in columns[layer].enumerated() { rows[place] = row }
        }
        for layer in columns.indices { arrange(layer, by: needs) }
        for layer in columns.indices.reversed() { arrange(layer, by: needing) }
        for layer in columns.indices { arrange(layer, by: needs) }
        return rows
    }
}
