import Postgres

/// What the doctor asks of the database's catalogues, which are small, whatever the tables hold.
enum CatalogueSQL {
    static let path = "SELECT current_setting('search_path'), current_schema()"

    static func path(
        _ row: inout RowReader
    ) throws(PostgresError) -> SessionSnapshot.SearchPath {
        .init(text: try row.text() ?? "", schema: try row.text())
    }

    /// $1: names of tables, found as a worker finds them.
    static let columns = """
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

    static func column(
        _ row: inout RowReader
    ) throws(PostgresError) -> (table: String, name: String, TableSnapshot.Column) {
        let (table, name) = (try row.text() ?? "", try row.text() ?? "")
        let column = TableSnapshot.Column(
            type: try row.text() ?? "",
            length: try row.integer(),
            isNullable: try row.bool() ?? false,
            hasDefault: try row.bool() ?? false,
            isGenerated: try row.bool() ?? false,
            isExact: try row.bool() ?? false
        )
        return (table, name, column)
    }

    /// $1: names of tables. What may refuse a row, or change it on its way.
    static let rules = """
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

    static func rule(
        _ row: inout RowReader
    ) throws(PostgresError) -> (table: String, rule: TableSnapshot.Rule?) {
        let table = try row.text() ?? ""
        guard let kind = TableSnapshot.Rule.Kind(rawValue: try row.text() ?? "") else {
            return (table, nil)
        }
        let name = try row.text() ?? ""
        return (table, .init(kind: kind, name: name, definition: try row.text() ?? ""))
    }

    /// $1: names of tables. Those whose rows are hidden from this role, but for what a policy of
    /// its own shows.
    static let policies = """
        SELECT wanted.name, coalesce((
            SELECT string_agg(DISTINCT polcmd::text, '') FROM pg_policy
            WHERE polrelid = to_regclass(wanted.name) AND polpermissive AND EXISTS (
                SELECT FROM unnest(polroles) AS member
                WHERE CASE member WHEN 0 THEN true ELSE pg_has_role(member, 'USAGE') END)), '')
        FROM unnest($1::text[]) AS wanted (name)
        WHERE row_security_active(to_regclass(wanted.name))
        """

    static func policy(
        _ row: inout RowReader
    ) throws(PostgresError) -> (table: String, commands: String?) {
        (try row.text() ?? "", try row.text())
    }

    /// $1: names of tables.
    static let indexes = """
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

    static func index(_ row: inout RowReader) throws(PostgresError) -> SessionSnapshot.Index {
        .init(
            name: try row.text() ?? "",
            table: try row.text() ?? "",
            method: try row.text() ?? "",
            columns: try row.text() ?? "",
            bytes: try row.integer() ?? 0,
            isKey: try row.bool() ?? false
        )
    }
}

/// What the doctor asks of rows. Each by an index, or of the latest rows only; where neither is
/// possible, it is given up like every statement of the doctor's that takes longer than two
/// seconds.
enum RowSQL {
    /// Of the thousand latest, by the primary key.
    static let future = """
        SELECT count(*), max(ahead) FROM (
            SELECT extract(epoch FROM greatest(created_at, updated_at) - now()) AS ahead
            FROM (SELECT created_at, updated_at FROM conversation_events
                  ORDER BY id DESC LIMIT 1000) AS latest) AS latest
        WHERE ahead > 300
        """

    static func ahead(
        _ row: inout RowReader
    ) throws(PostgresError) -> (rows: Int, seconds: Double) {
        (try row.integer() ?? 0, try row.double() ?? 0)
    }

    /// Of the statements below.
    static func count(_ row: inout RowReader) throws(PostgresError) -> Int? { try row.integer() }

    static func null(_ column: String, in table: String) -> String {
        "SELECT count(*) FROM (SELECT FROM \(table) WHERE \(column) IS NULL LIMIT 1000) AS odd"
    }

    /// Values that more than one row has.
    static func double(_ column: String, in table: String) -> String {
        """
        SELECT count(*) FROM (SELECT FROM \(table) WHERE \(column) IS NOT NULL
                              GROUP BY \(column) HAVING count(*) > 1 LIMIT 1000) AS odd
        """
    }

    static func notANumber(_ column: String, in table: String) -> String {
        "SELECT count(*) FROM (SELECT FROM \(table) WHERE \(column) = 'NaN' LIMIT 1000) AS odd"
    }
}
