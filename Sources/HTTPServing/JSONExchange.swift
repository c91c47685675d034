import Foundation
import Hummingbird
import JSON
import NIOCore

extension Response {
    package static func json(
        _ value: some Encodable,
        _ status: HTTPResponse.Status = .ok
    ) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: .json(value))
        )
    }
}

extension ByteBuffer {
    /// Encoding what is made here cannot fail.
    package static func json(_ value: some Encodable) -> ByteBuffer {
        do {
            return ByteBuffer(bytes: try JSONEncoder.api.encode(value))
        } catch {
            preconditionFailure("an answer has a JSON form")
        }
    }
}

extension BasicRequestContext {
    /// A part of the path by its name in the route: the router leaves it percent-encoded.
    ///
    /// - Returns: nil for what is not percent-encoded UTF-8, or has NUL: the database's texts
    ///   end there, and it would find another name.
    package func part(_ name: String) -> String? {
        let part = parameters.get(name)?.removingPercentEncoding
        return part?.utf8.contains(0) ?? true ? nil : part
    }
}

extension Request {
    /// Reads a body of JSON, as bytes that may be anything. A body that says that it is too large
    /// is not read; one that does not say so is read up to the limit.
    ///
    /// - Parameter limit: bytes; less than the server's `ConnectionLimits.requestBytes`, which cuts
    ///   the connection without an answer.
    /// - Throws: `Problem` 415 or 413, or 400 where the body does not come whole.
    package func json(upTo limit: Int) async throws -> ByteBuffer {
        let type = (headers[.contentType] ?? "").prefix { $0 != ";" }
            .trimmingCharacters(in: .whitespaces).lowercased()
        guard type == "application/json" else {
            throw Problem(
                .unsupportedMediaType,
                code: "unsupported_media_type",
                "the Content-Type must be application/json"
            )
        }
        let tooLarge = Problem(
            .contentTooLarge,
            code: "content_too_large",
            "the body may have \(limit) bytes"
        )
        if let length = headers[.contentLength].flatMap(Int.init), length > limit { throw tooLarge }
        do {
            return try await body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
    }
}
