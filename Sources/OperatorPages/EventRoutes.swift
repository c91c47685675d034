import FlowOperations
import HTTPServing
import Hummingbird
import JSON
import NIOCore
import ServiceLifecycle

/// Events as they come, as server-sent events: what the page shows of each, never its data.
struct EventRoutes {
    /// Between two looks at what has come. Chosen: a page draws no oftener.
    private static let interval = Duration.milliseconds(250)
    /// Looks in the longest silence: what is between may cut a connection that is silent.
    private static let silence = 40

    let flowService: any FlowOperatorService
    let access: AccessControl

    private struct Told: Encodable {
        var topics: [String]
        var notes: EventNotes
    }

    func add(to api: RouterGroup<BasicRequestContext>) {
        api.get("events") { request, _ in
            let text = request.uri.queryParameters["pattern"].map(String.init) ?? "#"
            guard let pattern = EventPattern(text) else {
                throw HTTPError(
                    .badRequest,
                    message: "a pattern is 1 to 255 characters without spaces, such as task.#"
                )
            }
            guard let listener = flowService.listen(to: pattern) else {
                throw HTTPError(
                    .serviceUnavailable,
                    message: "others listen to this worker already; close a page of theirs"
                )
            }
            return Response(
                status: .ok,
                // Nginx would keep events until it has some thousand bytes.
                headers: [
                    .contentType: "text/event-stream", .init("X-Accel-Buffering")!: "no",
                    .cacheControl: "no-store",
                ],
                body: ResponseBody { writer in
                    try await tell(listener, request, &writer)
                    try await writer.finish(nil)
                }
            )
        }
    }

    /// Until the client has gone, its session has ended, or the worker stops.
    private func tell(
        _ listener: EventListener,
        _ request: Request,
        _ writer: inout any ResponseBodyWriter
    ) async throws {
        // Until a client comes again, in milliseconds.
        try await writer.write(ByteBuffer(string: "retry: 2000\n\n"))
        var (quiet, last) = (0, EventNotes())
        var isFirst = true
        while access.admits(request) {
            let notes = listener.take()
            if isFirst || notes != last {
                let json = ByteBuffer.json(
                    Told(topics: flowService.eventTopics, notes: notes)
                )
                try await writer.write(ByteBuffer(string: "data: \(String(buffer: json))\n\n"))
                quiet = 0
            } else if quiet == Self.silence {
                try await writer.write(ByteBuffer(string: ": \n\n"))
                quiet = 0
            }
            (isFirst, quiet, last) = (false, quiet + 1, notes)
            (last.events, last.missed) = ([], 0)
            do {
                try await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.interval) }
            } catch { return }
        }
    }
}
