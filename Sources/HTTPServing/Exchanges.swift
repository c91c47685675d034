import Hummingbird
import NIOCore
import NIOHTTP1

/// What HTTP asks of a server and Hummingbird leaves out: it asks for bodies that clients hold back
/// (`Expect: 100-continue`), ends a connection after its last answer, and says why it refuses what
/// it cannot read. Stands behind the decoder.
final class Exchanges: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// An outbound event: the route of the first request without an answer reads its body.
    struct BodyIsWanted: Sendable {}

    private struct Exchange {
        /// Of HTTP/1.0.
        let isOld: Bool
        /// Whether the client expects that the connection ends after the answer.
        let isLast: Bool
        /// Whether the client keeps the body back until it is asked for it.
        var isHeldBack: Bool

        init(_ head: HTTPRequestHead) {
            isOld = head.version.minor == 0
            // The old keep-alive is not offered: none of its clients needs it. And the decoder
            // reads nothing after what asks for another protocol, which is not offered either.
            isLast =
                isOld || !head.isKeepAlive || head.method == .CONNECT
                || head.headers.contains(name: "upgrade")
            let hasBody =
                head.headers.contains(name: "transfer-encoding")
                || head.headers.first(name: "content-length").map { $0 != "0" } ?? false
            isHeldBack =
                !isOld && hasBody
                && head.headers.first(name: "expect")?.lowercased() == "100-continue"
        }
    }

    private let bytes: RequestBytes
    /// Those whose answer has not been written, the oldest first.
    private var open = CircularBuffer<Exchange>()
    /// Whether a request has begun that is not yet read.
    private var isReading = false
    /// Why nothing can be read any more.
    private var failure: HTTPParserError?
    /// Whether the answer that is being written is the connection's last.
    private var isLast = false
    /// Once the last request is read, nothing of what follows it is.
    private var isDeaf = false
    /// Nothing is written after the last answer.
    private var isMute = false

    init(_ bytes: RequestBytes) {
        self.bytes = bytes
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isDeaf { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            isReading = true
            open.append(Exchange(head))
        case .body: bodyHasCome()
        case .end:
            bodyHasCome()
            isReading = false
            isDeaf = isMute || (open.last?.isLast ?? false)
        }
        context.fireChannelRead(data)
    }

    /// Its client did not wait to be asked, or has been asked.
    private func bodyHasCome() {
        if !open.isEmpty { open[open.index(before: open.endIndex)].isHeldBack = false }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = failure ?? error as? HTTPParserError
        context.fireErrorCaught(error)
    }

    func triggerUserOutboundEvent(
        context: ChannelHandlerContext,
        event: Any,
        promise: EventLoopPromise<Void>?
    ) {
        guard event is BodyIsWanted else {
            return context.triggerUserOutboundEvent(event, promise: promise)
        }
        if open.first?.isHeldBack == true {
            open[open.startIndex].isHeldBack = false
            let head = HTTPResponseHead(version: .http1_1, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
        }
        promise?.succeed()
    }

    // MARK: Answers

    func write(
        context: ChannelHandlerContext,
        data: NIOAny,
        promise: EventLoopPromise<Void>?
    ) {
        if isMute {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(let head):
            guard let exchange = open.first else { return refuse(context, promise) }
            begin(head, of: exchange, context, promise)
        case .body: context.write(data, promise: promise)
        case .end:
            if !open.isEmpty { open.removeFirst() }
            if isLast { end(context, data, promise) } else { context.write(data, promise: promise) }
        }
    }

    private func begin(
        _ head: HTTPResponseHead,
        of exchange: Exchange,
        _ context: ChannelHandlerContext,
        _ promise: EventLoopPromise<Void>?
    ) {
        let isBroken = failure != nil && isReading && open.count == 1
        // A body that was not asked for may come nevertheless, or not.
        isLast = exchange.isLast || exchange.isHeldBack || isBroken
        if exchange.isHeldBack { isDeaf = true }
        var head = head
        if isLast { head.headers.replaceOrAdd(name: "connection", value: "close") }
        // So that the encoder makes no chunks.
        if exchange.isOld { head.version = .http1_0 }
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }

    /// In place of Hummingbird's answer to what is no request.
    private func refuse(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        isLast = true
        if isReading {
            // The request that is broken has its answer.
            isMute = true
            promise?.fail(ChannelError.outputClosed)
            return context.close(mode: .output, promise: nil)
        }
        let problem = Problem(failure ?? .unknown, isLineTooLong: bytes.isLineTooLong)
        var headers = problem.response.headers
        headers.addCommonAnswers()
        headers[.connection] = "close"
        let head = HTTPResponseHead(
            version: .http1_1,
            status: HTTPResponseStatus(statusCode: problem.status.code),
            headers: HTTPHeaders(headers.map { ($0.name.rawName, $0.value) })
        )
        context.write(wrapOutboundOut(.head(head)), promise: promise)
        context.write(wrapOutboundOut(.body(.byteBuffer(problem.body))), promise: nil)
    }

    /// The client may still send: that the rest is not read must not cost it the answer.
    private func end(
        _ context: ChannelHandlerContext,
        _ data: NIOAny,
        _ promise: EventLoopPromise<Void>?
    ) {
        isMute = true
        let taken = promise ?? context.eventLoop.makePromise()
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        taken.futureResult.whenSuccess { bound.value.close(mode: .output, promise: nil) }
        context.write(data, promise: taken)
    }
}

extension Problem {
    /// Of what is no request.
    init(_ error: HTTPParserError, isLineTooLong: Bool) {
        switch error {
        case .headerOverflow where isLineTooLong:
            self.init(.uriTooLong, code: "uri_too_long", "the address is too long")
        case .headerOverflow:
            self.init(
                .requestHeaderFieldsTooLarge,
                code: "request_header_fields_too_large",
                "the headers are too large, or too many"
            )
        case _: self = .notWellFormed
        }
    }

    static let notWellFormed = Problem(
        .badRequest,
        code: "bad_request",
        "the request is not well-formed HTTP"
    )
}
