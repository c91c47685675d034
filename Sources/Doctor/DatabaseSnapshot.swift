/// What the doctor has seen of the database's servers.
struct DatabaseSnapshot: Sendable {
    struct Server: Sendable {
        var address: String
        /// nil where it let us in and answered.
        var failure: String?
        /// Whether it let us in, whatever came then.
        var isConnected = false
        /// Whether a statement was prepared already, or gone: a pooler had changed the server under
        /// it.
        var mixesStatements = false
        /// nil where it did not say.
        var isStandby: Bool?
    }

    var servers: [Server] = []
    /// Of the first primary that let us in, else of the first standby.
    var session: SessionSnapshot?
}

/// What one session has seen. nil, or nothing, is what could not be seen: `unseen` says why.
struct SessionSnapshot: Sendable {
    enum Pooling: Sendable, Equatable {
        /// The server itself.
        case none
        /// A server for as long as the session lasts, for so many sessions at once at least.
        case bySession(places: Int)
        /// Perhaps another server for each transaction; whether prepared statements follow.
        case byTransaction(keepsStatements: Bool)
        /// Perhaps another server for each statement: transactions are refused.
        case byStatement
    }

    struct Index: Sendable {
        var name: String
        var table: String
        var method: String
        /// With commas between.
        var columns: String
        var bytes: Int
        /// Whether no two rows of the whole table can have the same columns.
        var isKey = false
    }

    struct Room: Sendable {
        var maximum: Int
        var reserved: Int
        /// Open connections of all clients but Amity, as far as this role can see them.
        var others: Int
        /// Of the role and of the database; nil for no limit.
        var roleLimit: Int?
        var databaseLimit: Int?
    }

    /// How tables are found.
    struct SearchPath: Sendable {
        /// As the setting has it.
        var text: String
        /// The first schema in it that is there and may be used.
        var schema: String?
        /// Where else there is a table of a name that the path does not find.
        var elsewhere: [String: [String]] = [:]
    }

    /// As `server_version_num`.
    var version: Int
    var role: String
    var database: String
    var isEncrypted: Bool
    var isStandby: Bool
    /// Transactions write nothing unless they ask for it.
    var isReadOnlyByDefault: Bool
    /// Whether the server has the limits that each session asks for when it starts.
    var hasOurGuards: Bool
    var isolation: String
    var timeZone: String
    /// Settings that the role or the database has of its own.
    var ownSettings: [String: String] = [:]
    var pooling: Pooling
    /// The database's clock minus ours, in seconds, and how far that may be off.
    var skew: (seconds: Double, uncertainty: Double)
    var path: SearchPath?
    /// By name; those that are missing are not in it. nil where none could be looked at.
    var tables: [String: TableSnapshot]?
    var indexes: [Index]?
    var room: Room?
    /// Workers on the queue that have reported themselves of late.
    var workers: [WorkerSnapshot]?
    /// Of the workers' monitor, raised now.
    var alerts: [AlertSnapshot] = []
    /// nil where there are no tables of tasks.
    var tasks: TaskSnapshot?
    var rows = RowSnapshot()
    /// Others whose last statement changed friendships: the application's name and the role.
    var rivals: [String] = []
    /// Of users that were scored last and whose friendships are new: those with exactly twice what
    /// their conversations brought, and all.
    var doubled: (users: Int, of: Int) = (0, 0)
    /// What could not be asked, and why.
    var unseen: [String] = []
}

/// A table as it is.
struct TableSnapshot: Sendable {
    struct Column: Sendable {
        /// As PostgreSQL names it.
        var type: String
        /// Characters; nil for no limit.
        var length: Int?
        var isNullable = true
        var hasDefault = false
        var isGenerated = false
        /// Whether texts that differ are never held for equal.
        var isExact = true
    }

    struct Rule: Sendable {
        enum Kind: String, Sendable { case check = "c", foreignKey = "f", trigger = "t" }

        var kind: Kind
        var name: String
        /// Empty for a trigger.
        var definition: String
    }

    var columns: [String: Column]
    /// Privileges that the role lacks, of those it needs.
    var lacking: [String] = []
    var rules: [Rule] = []
    /// Where row level security is in force for this role: the commands that a policy of its own
    /// allows, as in `pg_policy.polcmd`.
    var policies: String?
}

/// A worker as it last told of itself.
struct WorkerSnapshot: Sendable {
    /// What does not work, as its row has it. A later version may know more links and kinds.
    struct Problem: Sendable, Decodable {
        var link: String
        var text: String
        var remedy: String?
    }

    /// Why it takes no messages.
    struct Pause: Sendable, Decodable {
        /// A signal, for an operator, or a part of the worker.
        var by: String
        var secondsAgo: Double
    }

    /// Its host and process, with a colon between.
    var name: String
    var state: String
    var reasons: [String]
    var problems: [Problem] = []
    var pause: Pause?
}

struct AlertSnapshot: Sendable, Decodable {
    var name: String
    /// Seconds; how long it has been raised.
    var age: Double
    var value: Double?
}

/// Odd rows. nil is what was not, or could not be, looked for.
struct RowSnapshot: Sendable {
    /// Of the latest conversations: those from the future, and by how many seconds at most.
    var future: (rows: Int, seconds: Double)?
    /// What is odd, and how many rows.
    var odd: [(what: String, rows: Int)] = []
}
