import FriendshipScoring
import Messaging
import Postgres

/// Users as a transaction has locked them, by the spelling that is stored.
struct LockedUsers {
    private var friendships: [ExactText: Friendship]
    /// What of them nothing can be added to, and why. Empty nearly always.
    private(set) var defects: [ExactText: Failure] = [:]
    /// The stored spelling of those whom their events spell otherwise. Empty nearly always.
    private var spellings: [ExactText: ExactText] = [:]

    init(_ friendships: [ExactText: Friendship] = [:]) {
        self.friendships = friendships
    }

    /// Takes in a user's row.
    ///
    /// - Parameter given: as the event spells the user.
    mutating func add(_ user: ExactText, _ friendship: Friendship, as given: ExactText) {
        if given != user { spellings[given] = user }
        if friendships[user] == nil { add(user, friendship) }
    }

    private mutating func add(_ user: ExactText, _ friendship: Friendship) {
        if friendships.updateValue(friendship, forKey: user) != nil {
            defects[user] = .invalidFriendship("several rows have this user_id")
        } else if !friendship.score.isFinite {
            defects[user] = .invalidFriendship("friendship_score is not a finite number")
        }
    }

    /// Takes in the row of a user who is stored in another spelling than `given`; no row changes
    /// nothing.
    mutating func add(_ rows: Rows, as given: ExactText) throws(PostgresError) {
        let found = try rows.map(SQL.user)
        guard let stored = found.first?.id else { return }
        spellings[given] = stored
        if friendships[stored] == nil { for (user, friendship) in found { add(user, friendship) } }
    }

    /// A user as the table spells him.
    func stored(_ user: ExactText) -> ExactText {
        spellings.isEmpty ? user : spellings[user] ?? user
    }

    func has(_ user: ExactText) -> Bool { friendships[stored(user)] != nil }

    subscript(stored: ExactText) -> Friendship? {
        get { friendships[stored] }
        set { friendships[stored] = newValue }
    }
}
