import Postgres

/// What is asked of the catalogues about tables that the search path does not lead to.
package enum SearchPathSQL {
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

    package static func table(
        _ row: inout RowReader
    ) throws(PostgresError) -> (name: String, schema: String) {
        (try row.text() ?? "", try row.text() ?? "")
    }
}
