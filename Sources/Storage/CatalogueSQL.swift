/// What the doctor asks of the database's catalogues, which are small, whatever the tables hold.
package enum CatalogueSQL {
    package static let path = "SELECT current_setting('search_path'), current_schema()"

    /// $1: names of tables. Where the path leads to none, those of that name in other schemas.
    package static let elsewhere = """
        SELECT wanted.name, nspname
        FROM unnest($1::text[]) AS wanted (name)
        JOIN pg_class ON relname = wanted.name AND relkind IN ('r', 'p', 'v', 'f')
        JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE to_regclass(wanted.name) IS NULL
          AND nspname !~ '^pg_' AND nspname <> 'information_schema'
        ORDER BY wanted.name, nspname
        """

    /// $1: names of tables, found as a worker finds them.
    package static let columns = """
        SELECT wanted.name, attname, format_type(atttypid, NULL),
               CASE WHEN atttypmod > 4 AND atttypid IN ('varchar'::regtype, 'bpchar'::regtype)
                    THEN atttypmod - 4 END,
               NOT attnotnull, atthasdef OR attidentity <> '', attgenerated <> '',
               coalesce(collisdeterministic, true)
        FROM unnest($1::text[]) AS wanted (name)
        JOIN pg_attribute ON attrelid = to_regclass(wanted.name)
        LEFT JOIN pg_collation ON pg_collation.oid = attcollation
        WHERE attnum > 0 AND NOT attisdropped
        """

    /// $1: names of tables. What may refuse a row, or change it on its way.
    package static let rules = """
        SELECT wanted.name, contype::text, conname, pg_get_constraintdef(pg_constraint.oid)
        FROM unnest($1::text[]) AS wanted (name)
        JOIN pg_constraint ON conrelid = to_regclass(wanted.name)
        WHERE contype IN ('c', 'f')
        UNION ALL
        SELECT wanted.name, 't', tgname, ''
        FROM unnest($1::text[]) AS wanted (name)
        JOIN pg_trigger ON tgrelid = to_regclass(wanted.name)
        WHERE NOT tgisinternal AND tgenabled <> 'D'
        ORDER BY 1, 2, 3
        """

    /// $1: names of tables. Those whose rows are hidden from this role, but for what a policy of
    /// its own shows.
    package static let policies = """
        SELECT wanted.name, coalesce((
            SELECT string_agg(DISTINCT polcmd::text, '') FROM pg_policy
            WHERE polrelid = to_regclass(wanted.name) AND polpermissive AND EXISTS (
                SELECT FROM unnest(polroles) AS member
                WHERE CASE member WHEN 0 THEN true ELSE pg_has_role(member, 'USAGE') END)), '')
        FROM unnest($1::text[]) AS wanted (name)
        WHERE row_security_active(to_regclass(wanted.name))
        """

    /// $1: names of tables.
    package static let indexes = """
        SELECT own.relname, wanted.name, amname,
               (SELECT string_agg(pg_get_indexdef(indexrelid, place, true), ', ' ORDER BY place)
                FROM generate_series(1, indnkeyatts) AS place),
               pg_relation_size(indexrelid),
               indisunique AND indpred IS NULL
        FROM unnest($1::text[]) AS wanted (name)
        JOIN pg_index ON indrelid = to_regclass(wanted.name)
        JOIN pg_class AS own ON own.oid = indexrelid
        JOIN pg_am ON pg_am.oid = own.relam
        WHERE indisvalid
        ORDER BY wanted.name, own.relname
        """
}

/// What the doctor asks of rows. Each by an index, or of the latest rows only; where neither is
/// possible, it is given up like every statement of the doctor's that takes longer than two
/// seconds.
package enum RowSQL {
    /// Of the thousand latest, by the primary key.
    package static let future = """
        SELECT count(*), max(ahead) FROM (
            SELECT extract(epoch FROM greatest(created_at, updated_at) - now()) AS ahead
            FROM (SELECT created_at, updated_at FROM conversation_events
                  ORDER BY id DESC LIMIT 1000) AS latest) AS latest
        WHERE ahead > 300
        """

    package static func null(_ column: String, in table: String) -> String {
        "SELECT count(*) FROM (SELECT FROM \(table) WHERE \(column) IS NULL LIMIT 1000) AS odd"
    }

    /// Values that more than one row has.
    package static func double(_ column: String, in table: String) -> String {
        """
        SELECT count(*) FROM (SELECT FROM \(table) WHERE \(column) IS NOT NULL
                              GROUP BY \(column) HAVING count(*) > 1 LIMIT 1000) AS odd
        """
    }

    package static func notANumber(_ column: String, in table: String) -> String {
        "SELECT count(*) FROM (SELECT FROM \(table) WHERE \(column) = 'NaN' LIMIT 1000) AS odd"
    }
}
