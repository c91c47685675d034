import Messaging
import Postgres

/// The statements for conversations that have an agent, and so may move a topic.
extension SQL {
    /// $1: agents. The lowest id decides where an agent has several topics at a level.
    package static let readAgenda = Statement(
        "read_agenda",
        """
        SELECT DISTINCT ON (agent_id, friendship_level) agent_id, friendship_level, topic_id
        FROM agenda_agent_prompting
        WHERE agent_id = ANY ($1::text[])
        ORDER BY agent_id, friendship_level, id
        """
    )

    static func agendum(
        _ row: inout RowReader
    ) throws(PostgresError) -> (agent: String, level: String, topic: String)? {
        guard let agent = try row.text(), let level = try row.text(), let topic = try row.text()
        else { return nil }
        return (agent, level, topic)
    }

    /// $1: users, locked; $2: the topics that a batch may move. Of them only what moves: whatever
    /// else others keep in the column never leaves the database.
    package static let readTopics = Statement(
        "read_topics",
        """
        SELECT user_id, topic, topic_metrics -> topic ->> 'score',
               topic_metrics -> topic ->> 'turns', topic_metrics -> topic ->> 'friendship_level'
        FROM friendship_status, unnest($2::text[]) AS topic
        WHERE user_id = ANY ($1::text[])
          AND jsonb_typeof(topic_metrics) = 'object' AND topic_metrics ? topic
        """
    )

    /// Members are texts: others may have stored anything there.
    static func topic(_ row: inout RowReader) throws(PostgresError) -> StoredTopic {
        let user = ExactText(try row.text() ?? "")
        return StoredTopic(
            key: .init(user: user, topic: ExactText(try row.text() ?? "")),
            score: try row.text(),
            turns: try row.text(),
            level: try row.text()
        )
    }

    /// Of `readAndLockWithTopics`, behind the user.
    static func topics(
        of user: ExactText,
        _ row: inout RowReader
    ) throws(PostgresError) -> [StoredTopic] {
        let elements = try row.textArray() ?? []
        return stride(from: 0, to: elements.count - 3, by: 4).map { start in
            StoredTopic(
                key: .init(user: user, topic: ExactText(elements[start] ?? "")),
                score: elements[start + 1],
                turns: elements[start + 2],
                level: elements[start + 3]
            )
        }
    }

    /// $1 to $3: one element for each user. $4 to $7: one for each topic of a user: the members
    /// that change, and the robots to add to `agents_used` where they are not in it yet.
    static let updateUsersAndTopics = Statement(
        "update_users_and_topics",
        """
        WITH done AS (
        UPDATE friendship_status AS stored
        SET friendship_score = new.score,
            friendship_level = new.level,
            topic_metrics =
                CASE jsonb_typeof(stored.topic_metrics)
                    WHEN 'object' THEN stored.topic_metrics ELSE '{}' END
                || coalesce((
                    SELECT jsonb_object_agg(moved.topic,
                        CASE jsonb_typeof(old.topic) WHEN 'object' THEN old.topic ELSE '{}' END
                        || moved.members::jsonb
                        || jsonb_build_object('agents_used', old.agents || coalesce((
                            SELECT jsonb_agg(agent)
                            FROM jsonb_array_elements_text(moved.agents::jsonb) AS agent
                            WHERE NOT old.agents ? agent), '[]')))
                    FROM unnest($4::text[], $5::text[], $6::text[], $7::text[])
                        AS moved (user_id, topic, members, agents)
                    CROSS JOIN LATERAL (SELECT stored.topic_metrics -> moved.topic,
                        CASE jsonb_typeof(stored.topic_metrics -> moved.topic -> 'agents_used')
                            WHEN 'array' THEN stored.topic_metrics -> moved.topic -> 'agents_used'
                            ELSE '[]' END) AS old (topic, agents)
                    WHERE moved.user_id = stored.user_id), '{}'),
            last_interaction_date = now(),
            updated_at = now()
        FROM unnest($1::text[], $2::float8[], $3::text[]) AS new (user_id, score, level)
        WHERE stored.user_id = ANY ($1::text[]) AND stored.user_id = new.user_id
        RETURNING 1)
        \(guardAll("$1::text[]"))
        """
    )

    /// $1 to $3: one element for each user. $4 to $6: the topic that the user moves, its members
    /// that change, and the robot to add to `agents_used` where it is not in it yet; NULL where no
    /// topic moves. For batches in which each user moves one topic, with one robot, at most.
    package static let updateUsersAndTopic = Statement(
        "update_users_and_topic",
        """
        WITH done AS (
        UPDATE friendship_status AS stored
        SET friendship_score = new.score,
            friendship_level = new.level,
            topic_metrics = CASE WHEN new.topic IS NULL THEN stored.topic_metrics
                ELSE \(moved("new.topic", "new.members", "new.robot")) END,
            last_interaction_date = now(),
            updated_at = now()
        FROM unnest($1::text[], $2::float8[], $3::text[], $4::text[], $5::text[], $6::text[])
            AS new (user_id, score, level, topic, members, robot)
        WHERE stored.user_id = ANY ($1::text[]) AND stored.user_id = new.user_id
        RETURNING 1)
        \(guardAll("$1::text[]"))
        """
    )

    /// `topic_metrics` with one topic moved; what else others keep in it stays.
    static func moved(_ topic: String, _ members: String, _ robot: String) -> String {
        let old = "stored.topic_metrics -> \(topic)"
        let agents = "\(old) -> 'agents_used'"
        return """
            CASE jsonb_typeof(stored.topic_metrics)
                WHEN 'object' THEN stored.topic_metrics ELSE '{}' END
            || jsonb_build_object(\(topic),
                CASE jsonb_typeof(\(old)) WHEN 'object' THEN \(old) ELSE '{}' END
                || \(members)::jsonb
                || jsonb_build_object('agents_used', CASE
                    WHEN jsonb_typeof(\(agents)) IS DISTINCT FROM 'array'
                        THEN jsonb_build_array(\(robot))
                    WHEN \(agents) ? \(robot) THEN \(agents)
                    ELSE \(agents) || to_jsonb(\(robot)) END))
            """
    }
}
