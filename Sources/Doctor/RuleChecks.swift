import Storage

/// Rules of a table under which what Amity writes is refused, or changed on its way.
struct WritesCheck: Check {
    let name = "writes"

    private static let events = "conversation_events"
    private static let friendships = "friendship_status"
    /// What a score or a failure changes.
    private static let written = [
        events: [
            "status", "attempt_count", "friendship_score_change", "new_friendship_level",
            "score_calculation_details", "processed_at", "next_attempt_at", "error_code",
            "error_details", "updated_at",
        ],
        friendships: [
            "user_id", "friendship_score", "friendship_level", "topic_metrics",
            "last_interaction_date", "updated_at",
        ],
    ]
    /// What a new user's row is given; the other columns have to have a default.
    private static let given = ["user_id", "friendship_score", "friendship_level"]
    /// Characters of the longest text; of codes, with some to spare.
    private static let needed = [
        (events, "status", 10), (events, "error_code", 32), (events, "error_details", 500),
        (events, "new_friendship_level", 20),
        (friendships, "friendship_level", 20),
    ]

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let tables = seen.database.session?.tables else { return [] }
        var findings = lengths(tables) + required(tables)
        for (name, written) in Self.written.sorted(by: { $0.key < $1.key }) {
            guard let table = tables[name] else { continue }
            findings += computed(name, table, written) + rules(name, table)
        }
        return findings.isEmpty
            ? [.ok("no rule of the tables is in the way", by: .database)] : findings
    }

    private func required(_ tables: [String: TableSnapshot]) -> [Finding] {
        var findings: [Finding] = []
        for (column, found) in (tables[Self.friendships]?.columns ?? [:]).sorted(by: {
            $0.key < $1.key
        })
        where found.isRequired && !Self.given.contains(column) {
            findings.append(
                .error(
                    """
                    \(Self.friendships).\(column) is NOT NULL without a default, and Amity does \
                    not write it: no new user can be scored; ALTER TABLE \(Self.friendships) ALTER \
                    COLUMN \(column) SET DEFAULT …
                    """,
                    by: .database
                )
            )
        }
        for column in ["error_code", "error_details"]
        where tables[Self.events]?.columns[column]?.isNullable == false {
            findings.append(
                .error(
                    """
                    \(Self.events).\(column) is NOT NULL, and NULL stands for no error: nothing \
                    can be scored; ALTER TABLE \(Self.events) ALTER COLUMN \(column) DROP NOT NULL
                    """,
                    by: .database
                )
            )
        }
        let own = Set(Schema.tables.first { $0.name == Self.events }?.columns ?? [])
            .union(["bot_name", "start_time", "end_time"])
        let extra = (tables[Self.events]?.columns ?? [:]).filter {
            $1.isRequired && !own.contains($0)
        }
        return findings
            + extra.keys.sorted().map { column in
                .note(
                    """
                    \(Self.events).\(column) is NOT NULL without a default: workers do not mind, \
                    but Amity cannot add conversations of its own (amity publish --generate)
                    """,
                    by: .database
                )
            }
    }

    private func lengths(_ tables: [String: TableSnapshot]) -> [Finding] {
        var findings: [Finding] = Self.needed.compactMap { table, column, needed in
            guard let length = tables[table]?.columns[column]?.length, length < needed else {
                return nil
            }
            return .error(
                """
                \(table).\(column) has \(length) characters and \(needed) are needed: what is \
                longer cannot be written; ALTER TABLE \(table) ALTER COLUMN \(column) TYPE \
                \(needed > 50 ? "text" : "varchar(50)")
                """,
                by: .database
            )
        }
        if let own = tables[Self.friendships]?.columns["user_id"],
            let others = tables[Self.events]?.columns["user_id"], let length = own.length,
            length < others.length ?? .max
        {
            findings.append(
                .warning(
                    """
                    \(Self.friendships).user_id has \(length) characters, fewer than \
                    \(Self.events).user_id: users with a longer id cannot be scored
                    """,
                    by: .database
                )
            )
        }
        return findings
    }

    private func computed(
        _ name: String,
        _ table: TableSnapshot,
        _ written: [String]
    ) -> [Finding] {
        table.columns.filter(\.value.isGenerated).keys.sorted().compactMap { column in
            if written.contains(column) {
                return .error(
                    """
                    \(name).\(column) is a generated column, and Amity writes it: nothing can be \
                    scored; make it an ordinary one
                    """,
                    by: .database
                )
            }
            if column == "duration_seconds" { return nil }
            return .note(
                """
                \(name).\(column) is computed with each write: where that fails, the conversation \
                does
                """,
                by: .database
            )
        }
    }

    private func rules(_ name: String, _ table: TableSnapshot) -> [Finding] {
        let extra = table.rules.filter { !$0.isTheContracts }
        let narrow = extra.filter(\.lacksStatuses)
        var findings: [Finding] = narrow.map { rule in
            .error(
                """
                \(name): constraint \(rule.name) does not allow a status that Amity writes \
                (PROCESSED, FAILED): \(rule.definition)
                """,
                by: .database
            )
        }
        let others = extra.filter { !$0.lacksStatuses }.map { rule in
            switch rule.kind {
            case .check: "constraint \(rule.name), \(rule.definition)"
            case .foreignKey: "foreign key \(rule.name), \(rule.definition)"
            case .trigger: "trigger \(rule.name)"
            }
        }
        if !others.isEmpty {
            findings.append(
                .note(
                    """
                    on \(name) there are \(others.joined(separator: "; ")): a row that they refuse \
                    is not scored
                    """,
                    by: .database
                )
            )
        }
        return findings
    }
}

extension TableSnapshot.Column {
    /// Whether an INSERT that does not name it fails.
    fileprivate var isRequired: Bool { !isNullable && !hasDefault && !isGenerated }

    /// Byte for byte, as Amity does.
    fileprivate var tellsTextsApart: Bool { isExact && type != "citext" }
}

extension TableSnapshot.Rule {
    private static let statuses = ["PENDING", "PROCESSING", "PROCESSED", "FAILED", "SKIPPED"]

    /// The two that the service's tables and Amity's have.
    fileprivate var isTheContracts: Bool {
        kind == .check
            && (Self.statuses.allSatisfy { definition.contains("'\($0)'") }
                || definition.hasPrefix("CHECK ((friendship_score >= "))
    }

    fileprivate var lacksStatuses: Bool {
        kind == .check && definition.contains("status")
            && Self.statuses.contains { definition.contains("'\($0)'") }
            && !(definition.contains("'PROCESSED'") && definition.contains("'FAILED'"))
    }
}

/// Row level security hides rows without a word: a conversation that is hidden looks like one that
/// is not there.
struct RowSecurityCheck: Check {
    let name = "row-security"

    /// By the codes of `pg_policy.polcmd`.
    private static let commands = [
        "SELECT": "r", "INSERT": "a", "UPDATE": "w", "DELETE": "d",
    ]

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let session = seen.database.session, let tables = session.tables else { return [] }
        let findings = tables.sorted { $0.key < $1.key }.compactMap { name, table in
            table.policies.map { judge(name, $0, session.role) }
        }
        return findings.isEmpty
            ? [.ok("no table hides rows from \(session.role)", by: .database)] : findings
    }

    private func judge(_ table: String, _ policies: String, _ role: String) -> Finding {
        let needed = DoctorSQL.privileges.filter { $0.table == table }.map(\.privilege)
        let lacking = needed.filter { privilege in
            !policies.contains("*") && !policies.contains(Self.commands[privilege] ?? "*")
        }
        if lacking.isEmpty {
            return .note(
                """
                row level security of \(table) is in force for \(role): rows that its policies \
                hide are not there for workers
                """,
                by: .database
            )
        }
        return .error(
            """
            row level security of \(table) is in force for \(role), and no policy allows \
            \(lacking.joined(separator: ", ")): rows are hidden or refused; CREATE POLICY … ON \
            \(table) TO \(role) USING (true) WITH CHECK (true), or ALTER ROLE \(role) BYPASSRLS
            """,
            by: .database
        )
    }
}

/// What keeps a user and a conversation single, and what finds them.
struct KeysCheck: Check {
    let name = "keys"

    private static let keys = [
        ("conversation_events", "conversation_id"), ("friendship_status", "user_id"),
    ]

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let session = seen.database.session, let tables = session.tables else { return [] }
        var findings: [Finding] = []
        for (table, column) in Self.keys + [("conversation_events", "user_id")] {
            guard let found = tables[table]?.columns[column], !found.tellsTextsApart else {
                continue
            }
            let cause = "\(table).\(column) takes different texts for equal"
            findings.append(
                column == "user_id"
                    ? .note("\(cause): users whose ids it does are one user", by: .database)
                    : .error(
                        "\(cause): ids are mixed up, or never scored; give it a deterministic "
                            + "collation",
                        by: .database
                    )
            )
        }
        guard let indexes = session.indexes else { return findings }
        for (table, column) in Self.keys
        where tables[table] != nil && !session.hasKey(column, of: table) {
            let isFound = indexes.contains { $0.table == table && $0.columns.hasPrefix(column) }
            let slow = isFound ? "" : ", and each look-up reads the whole table"
            findings.append(
                table == "friendship_status"
                    ? .error(
                        """
                        friendship_status has no unique index on user_id: a user gets several \
                        rows\(slow); remove doubles, then ADD PRIMARY KEY (user_id)
                        """,
                        by: .database
                    )
                    : .warning(
                        """
                        conversation_events has no unique index on conversation_id: a conversation \
                        that is there twice is not scored\(slow)
                        """,
                        by: .database
                    )
            )
        }
        return findings.isEmpty
            ? [.ok("users and conversations are single", by: .database)] : findings
    }
}
