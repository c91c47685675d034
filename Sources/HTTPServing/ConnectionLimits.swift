import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// Limits of one connection, in bytes and in time. A connection that exceeds one is closed without
/// an answer: no legitimate client needs more.
package struct ConnectionLimits: Sendable {
    /// Bytes of one request, head and body. More than NIO reads at once, so that several requests
    /// in one read do not count as one large request.
    package var requestBytes = 256 << 10
    /// Bytes of one header, and of all.
    package var headerBytes = (one: 8 << 10, all: 16 << 10)
    package var headerCount = 64
    /// Until a head is whole; and how long a connection may idle.
    package var idle = TimeAmount.seconds(10)
    /// From a head until its body is read and its answer taken.
    package var exchange = TimeAmount.seconds(15)
    /// The same once the body is read, where some answers take longer; nil for no more time.
    package var answer: TimeAmount?
    /// Until a part of an answer of server-sent events is taken, and the next one is there. More
    /// than twice the longest silence between two.
    package var stream = TimeAmount.seconds(40)

    package init() {}
}

extension HTTPServerBuilder {
    static func limited(_ limits: ConnectionLimits) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in LimitedChannel(responder, limits) }
    }
}

/// Hummingbird's channel with limits before and behind its decoder.
private struct LimitedChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    private let channel: HTTP1Channel
    private let limits: ConnectionLimits

    init(_ responder: @escaping HTTPChannelHandler.Responder, _ limits: ConnectionLimits) {
        var decoder = HTTP1Channel.Configuration.DecoderConfiguration()
        decoder.maxHeaderFieldSize = limits.headerBytes.one
        decoder.maxHeaderListSize = limits.headerBytes.all
        decoder.maxHeaderFieldCount = limits.headerCount
        channel = HTTP1Channel(
            responder: { (request, writer: consuming ResponseWriter, channel) in
                let request = IncomingBody.request(request, on: channel)
                try await responder(request, writer, channel)
            },
            configuration: .init(idleTimeout: limits.idle, httpDecoderConfiguration: decoder)
        )
        self.limits = limits
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        do {
            let bytes = RequestBytes(limits)
            try channel.pipeline.syncOperations.addHandler(bytes)
        } catch {
            return channel.eventLoop.makeFailedFuture(error)
        }
        return self.channel.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let bytes = try pipeline.handler(type: RequestBytes.self)
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            try pipeline.addHandler(
                ExchangeTime(limits, bytes: bytes),
                position: .after(decoder)
            )
            try pipeline.addHandler(Exchanges(bytes), position: .after(decoder))
            return value
        }
    }

    func handle(value: Value, logger: Logger) async {
        await channel.handle(value: value, logger: logger)
    }
}

/// Counts the bytes of a request as they arrive, before another handler buffers them.
final class RequestBytes: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let limits: ConnectionLimits
    private var count = 0
    /// Bytes of the request's first line, as far as it has come.
    private var line = 0
    private var isLineWhole = false

    init(_ limits: ConnectionLimits) {
        self.limits = limits
    }

    /// Whether the first line of the request that is being read has more than a header may have.
    var isLineTooLong: Bool { line > limits.headerBytes.one }

    func requestEnded() { (count, line, isLineWhole) = (0, 0, false) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data).readableBytesView
        count += bytes.count
        if count > limits.requestBytes { return context.close(promise: nil) }
        if !isLineWhole {
            let end = bytes.firstIndex(of: UInt8(ascii: "\n"))
            line += (end ?? bytes.endIndex) - bytes.startIndex
            isLineWhole = end != nil
        }
        context.fireChannelRead(data)
    }
}

/// Gives a request so long until it is read, answered, and its answer taken. (Before its head is
/// whole, and between requests, Hummingbird's idle timeout holds.)
private final class ExchangeTime: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let limits: ConnectionLimits
    private let bytes: RequestBytes
    private var isReading = false
    /// Whether the answer is one of server-sent events, which lasts as long as its client takes
    /// them.
    private var isStream = false
    /// Requests whose answer has not been taken; fewer than none after the answer to what is no
    /// request.
    private var unanswered = 0
    private var deadline: Scheduled<Void>?

    init(_ limits: ConnectionLimits, bytes: RequestBytes) {
        self.limits = limits
        self.bytes = bytes
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            isReading = true
            unanswered += 1
            if deadline == nil { arm(context) }
        case .body: break
        case .end:
            isReading = false
            bytes.requestEnded()
            if limits.answer != nil, unanswered > 0 { arm(context) }
            disarmIfQuiet()
        }
        context.fireChannelRead(data)
    }

    func write(
        context: ChannelHandlerContext,
        data: NIOAny,
        promise: EventLoopPromise<Void>?
    ) {
        switch unwrapOutboundIn(data) {
        case .head(let head):
            isStream = head.headers.first(name: "content-type") == "text/event-stream"
            return context.write(data, promise: promise)
        case .body:
            if isStream { return writePart(context, data, promise) }
            return context.write(data, promise: promise)
        case .end: isStream = false
        }
        // Kept when the bytes are the kernel's: a client that takes none keeps the time running.
        let taken = promise ?? context.eventLoop.makePromise()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        taken.futureResult.whenSuccess {
            let (handler, context) = bound.value
            handler.unanswered -= 1
            if handler.unanswered > 0 { handler.arm(context) }
            handler.disarmIfQuiet()
        }
        context.write(data, promise: taken)
    }

    /// What the kernel does not take, because the client does not, lets the time run out.
    private func writePart(
        _ context: ChannelHandlerContext,
        _ data: NIOAny,
        _ promise: EventLoopPromise<Void>?
    ) {
        let taken = promise ?? context.eventLoop.makePromise()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        taken.futureResult.whenSuccess {
            let (handler, context) = bound.value
            if handler.isStream { handler.arm(context) }
        }
        context.write(data, promise: taken)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    private func arm(_ context: ChannelHandlerContext) {
        deadline?.cancel()
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        let answer = isStream ? limits.stream : limits.answer ?? limits.exchange
        let limit = isReading ? limits.exchange : answer
        deadline = context.eventLoop.scheduleTask(in: limit) { bound.value.close(promise: nil) }
    }

    private func disarmIfQuiet() {
        guard !isReading, unanswered <= 0 else { return }
        deadline?.cancel()
        deadline = nil
    }
}
