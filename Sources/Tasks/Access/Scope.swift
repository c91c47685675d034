/// What a token may be used for.
package enum Scope: String, CaseIterable, Sendable {
    case writeConversations = "conversations:write"
    case writeTasks = "tasks:write"
    case readTasks = "tasks:read"
    case cancelTasks = "tasks:cancel"
    case streams = "streams:*"
    case operations = "ops"
}

/// Who asks: a token as it stands in `amity_tokens`, without its secret.
package struct AccessToken: Sendable, Equatable {
    /// From 1 on: 0 stands for `API_TOKEN`.
    package var id: Int
    package var name: String
    package var scopes: Set<Scope>
    /// The only kb whose tasks it makes and sees; nil for all.
    package var kbID: String?
    /// ISO 8601.
    package var createdAt: String
    package var revokedAt: String?
}
