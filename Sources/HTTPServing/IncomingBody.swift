import Hummingbird
import NIOCore
import NIOHTTP1

/// A request's body as it comes. A client that holds it back is asked for it when it is read; what
/// goes wrong with it is no failure of the server's.
struct IncomingBody: AsyncSequence, Sendable {
    private let body: RequestBody
    private let channel: any Channel

    private init(_ body: RequestBody, on channel: any Channel) {
        (self.body, self.channel) = (body, channel)
    }

    /// - Returns: the request with such a body, where it has one.
    static func request(_ request: Request, on channel: any Channel) -> Request {
        let isEmpty =
            request.headers[.transferEncoding] == nil
            && request.headers[.contentLength].map { $0 == "0" } ?? true
        if isEmpty { return request }
        var request = request
        request.body = RequestBody(asyncSequence: IncomingBody(request.body, on: channel))
        return request
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(parts: body.makeAsyncIterator(), channel: channel)
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var parts: RequestBody.AsyncIterator
        /// nil once the body has been asked for.
        fileprivate var channel: (any Channel)?

        /// - Throws: `Problem`, or `CancellationError`.
        mutating func next() async throws -> ByteBuffer? {
            channel?.triggerUserOutboundEvent(Exchanges.BodyIsWanted(), promise: nil)
            channel = nil
            do {
                return try await parts.next()
            } catch is HTTPParserError {
                throw Problem.notWellFormed
            } catch let error as CancellationError {
                throw error
            } catch {
                // Its client hardly ever gets to read it.
                throw Problem(.badRequest, code: "bad_request", "the body ended too early")
            }
        }
    }
}
