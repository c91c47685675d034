import CPostgres

extension PostgresError {
    /// What a failed statement was answered with.
    static func answered(
        in result: OpaquePointer,
        during operation: String
    ) -> PostgresError {
        func field(_ code: Int) -> String {
            PQresultErrorField(result, Int32(code)).map { String(cString: $0) } ?? ""
        }
        // libpq's own: the link broke in the middle of an answer.
        if field(AMITY_DIAG_SQLSTATE).isEmpty {
            return .link(String(cString: PQresultErrorMessage(result)), during: operation)
        }
        func name(_ code: Int) -> String? {
            let name = field(code)
            return name.isEmpty ? nil : name
        }
        return PostgresError(
            sqlState: field(AMITY_DIAG_SQLSTATE),
            operation: operation,
            message: field(AMITY_DIAG_MESSAGE_PRIMARY),
            place: .init(
                table: name(AMITY_DIAG_TABLE_NAME),
                column: name(AMITY_DIAG_COLUMN_NAME),
                constraint: name(AMITY_DIAG_CONSTRAINT_NAME)
            ),
            // A pooler gives the localised one only.
            endsSession: [AMITY_DIAG_SEVERITY, AMITY_DIAG_SEVERITY_SHOWN].contains {
                ["FATAL", "PANIC"].contains(field($0))
            },
            // Where it was, line by line. It may quote rows, so that there is one is all that is
            // kept.
            isFromFunction: !field(AMITY_DIAG_CONTEXT).isEmpty
        )
    }
}
