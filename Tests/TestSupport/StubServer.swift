import Concurrency
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// Plays a service over HTTP on a loopback port, well or badly, as the test says.
package final class StubServer: Sendable {
    package struct Request: Sendable {
        package var method: String
        package var path: String
        /// By name in lower case.
        package var headers: [String: String]
        package var body: String
    }

    package indirect enum Answer: Sendable {
        case json(String)
        /// And closes the connection.
        case closing(String)
        case status(Int, headers: [String: String] = [:], body: String = "{}")
        case after(Duration, Answer)
        /// Says nothing, ever.
        case hang
        /// Begins an answer and says no more, ever.
        case hangInBody
        /// Begins an answer and closes the connection.
        case cutOff
        /// Closes the connection.
        case drop
        /// An answer of so many bytes.
        case huge(Int)
    }

    private struct State {
        var answer: @Sendable (Request) -> Answer
        var requests: [Request] = []
        var underWay = 0
        var mostUnderWay = 0
        var connections = 0
    }

    private let state: Locked<State>
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let channel: any Channel

    /// - Parameter answer: to each request; called on the server's thread.
    package init(_ answer: @escaping @Sendable (Request) -> Answer) throws {
        let state = Locked(State(answer: answer))
        self.state = state
        channel = try ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                state.withLock { $0.connections += 1 }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(
                        Connection(
                            arrived: { request in
                                state.withLock { state in
                                    state.requests.append(request)
                                    state.underWay += 1
                                    state.mostUnderWay = max(state.mostUnderWay, state.underWay)
                                    return state.answer(request)
                                }
                            },
                            over: { state.withLock { $0.underWay -= 1 } }
                        )
                    )
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
    }

    deinit {
        channel.close(promise: nil)
        group.shutdownGracefully { _ in }
    }

    package var url: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }

    package var requests: [Request] { state.withLock { $0.requests } }

    /// Requests that were under way at once, at most.
    package var mostUnderWay: Int { state.withLock { $0.mostUnderWay } }

    /// Requests that are under way now.
    package var underWay: Int { state.withLock { $0.underWay } }

    /// Connections that were made, ever.
    package var connections: Int { state.withLock { $0.connections } }

    /// Answers differently from now on.
    package func answer(_ answer: @escaping @Sendable (Request) -> Answer) {
        state.withLock { $0.answer = answer }
    }
}

/// One connection: collects a request, asks what to answer, and does it.
private final class Connection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let arrived: (StubServer.Request) -> StubServer.Answer
    private let over: @Sendable () -> Void
    private var request = StubServer.Request(method: "", path: "", headers: [:], body: "")
    private var isUnderWay = false

    init(
        arrived: @escaping (StubServer.Request) -> StubServer.Answer,
        over: @escaping @Sendable () -> Void
    ) {
        self.arrived = arrived
        self.over = over
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            let headers = head.headers.map { ($0.name.lowercased(), $0.value) }
            request = .init(
                method: head.method.rawValue,
                path: head.uri,
                headers: Dictionary(headers) { first, _ in first },
                body: ""
            )
        case .body(let body): request.body += String(buffer: body)
        case .end:
            isUnderWay = true
            perform(arrived(request), context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { end() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func end() {
        if isUnderWay { over() }
        isUnderWay = false
    }

    private func perform(_ answer: StubServer.Answer, _ context: ChannelHandlerContext) {
        switch answer {
        case .json(let body): write(200, [:], body, context)
        case .status(let status, let headers, let body): write(status, headers, body, context)
        case .closing(let body):
            write(200, [:], body, context)
            context.close(promise: nil)
        case .after(let time, let answer):
            let context = NIOLoopBound(context, eventLoop: context.eventLoop)
            let this = NIOLoopBound(self, eventLoop: context.value.eventLoop)
            context.value.eventLoop.scheduleTask(in: .nanoseconds(Int64(time / .nanoseconds(1)))) {
                this.value.perform(answer, context.value)
            }
        case .hang: break
        case .hangInBody: begin(context)
        case .cutOff:
            begin(context)
            context.close(promise: nil)
        case .drop: context.close(promise: nil)
        case .huge(let bytes): write(200, [:], String(repeating: "x", count: bytes), context)
        }
    }

    /// The first bytes of an answer that is said to be longer.
    private func begin(_ context: ChannelHandlerContext) {
        let head = HTTPResponseHead(
            version: .http1_1,
            status: .ok,
            headers: ["content-length": "1000"]
        )
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let body = IOData.byteBuffer(ByteBuffer(string: #"{"choices":[{"#))
        context.writeAndFlush(wrapOutboundOut(.body(body)), promise: nil)
    }

    private func write(
        _ status: Int,
        _ headers: [String: String],
        _ body: String,
        _ context: ChannelHandlerContext
    ) {
        end()
        if !context.channel.isActive { return }
        var fields = HTTPHeaders(headers.map { ($0, $1) })
        fields.add(name: "content-length", value: "\(body.utf8.count)")
        let head = HTTPResponseHead(
            version: .http1_1,
            status: HTTPResponseStatus(statusCode: status),
            headers: fields
        )
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let bytes = IOData.byteBuffer(ByteBuffer(string: body))
        context.write(wrapOutboundOut(.body(bytes)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}

extension StubServer.Answer {
    /// What a chat model says that found these.
    package static func chat(questions: Int, emotion: String) -> Self {
        chat(#"{"user_initiated_questions": \#(questions), "session_emotion": "\#(emotion)"}"#)
    }

    /// What a chat model says.
    package static func chat(_ content: String) -> Self {
        let message: [String: Any] = ["role": "assistant", "content": content]
        let body: [String: Any] = ["choices": [["index": 0, "message": message]]]
        do {
            let json = try JSONSerialization.data(withJSONObject: body)
            return .json(String(decoding: json, as: UTF8.self))
        } catch {
            preconditionFailure("texts have a JSON form")
        }
    }

    /// What a memory service says that made so many.
    package static func memories(_ count: Int) -> Self {
        let facts = Array(repeating: #"{"id":"1","fact":"likes dogs"}"#, count: count)
        return .json(
            #"{"status":"ok","count":\#(count),"facts":[\#(facts.joined(separator: ","))]}"#
        )
    }
}
