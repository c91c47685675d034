import Hummingbird
import JSON

/// An error as RFC 9457 has it. A route throws it, on a server of any options.
package struct Problem: HTTPResponseError {
    /// What is wrong with one member of the request's body.
    package struct Defect: Encodable, Sendable, Equatable {
        /// A JSON pointer (RFC 6901).
        package var pointer: String
        package var detail: String

        package init(at pointer: String, _ detail: String) {
            self.pointer = pointer
            self.detail = detail
        }
    }

    package let status: HTTPResponse.Status
    /// For programs: it stays as it is when the detail's words change.
    package let code: String
    /// For people. Without the text of a body.
    package let detail: String
    /// Empty for none.
    package let defects: [Defect]
    private let headers: HTTPFields

    /// - Parameter retryAfter: seconds until another attempt is worth it; nil to say nothing.
    package init(
        _ status: HTTPResponse.Status,
        code: String,
        _ detail: String,
        defects: [Defect] = [],
        retryAfter: Int? = nil
    ) {
        self.init(
            status,
            code: code,
            detail,
            defects: defects,
            headers: retryAfter.map { [.retryAfter: "\($0)"] } ?? [:]
        )
    }

    /// The path takes other methods.
    package static func methodNotAllowed(_ allowed: [HTTPRequest.Method]) -> Problem {
        let names = allowed.map(\.rawValue).sorted().joined(separator: ", ")
        return Problem(
            .methodNotAllowed,
            code: "method_not_allowed",
            "this path takes \(names)",
            headers: [.allow: names]
        )
    }

    /// No token that opens anything came with it.
    package static let unauthorized = Problem(
        .unauthorized,
        code: "unauthorized",
        "a bearer token is needed",
        headers: [.wwwAuthenticate: "Bearer realm=\"amity\""]
    )

    private init(
        _ status: HTTPResponse.Status,
        code: String,
        _ detail: String,
        defects: [Defect] = [],
        headers: HTTPFields
    ) {
        self.status = status
        self.code = code
        self.detail = detail
        self.defects = defects
        self.headers = headers
    }

    /// Of an error that was not thrown as a problem. What is no error of HTTP stays inside: its
    /// description may have anything.
    init(_ error: any Error) {
        guard let error = error as? any HTTPResponseError else {
            self.init(.internalServerError, code: "internal", "the server failed", headers: [:])
            return
        }
        let known = error as? HTTPError
        self.init(
            error.status,
            code: Self.code(of: error.status),
            known?.body ?? error.status.reasonPhrase,
            headers: known?.headers ?? [:]
        )
    }

    /// The reason phrase, as a word: `not_found`.
    private static func code(of status: HTTPResponse.Status) -> String {
        status.reasonPhrase.lowercased().replacing(" ", with: "_")
    }

    private struct Form: Encodable {
        var type = "about:blank"
        var title: String
        var status: Int
        var detail: String
        var code: String
        var errors: [Defect]?
    }

    private var form: Form {
        Form(
            title: status.reasonPhrase,
            status: status.code,
            detail: detail,
            code: code,
            errors: defects.isEmpty ? nil : defects
        )
    }

    var body: ByteBuffer { .json(form) }

    package var response: Response {
        var response = Response.json(form, status)
        response.headers.append(contentsOf: headers)
        response.headers[.contentType] = "application/problem+json"
        return response
    }

    package func response(
        from request: Request,
        context: some RequestContext
    ) throws -> Response { response }
}
