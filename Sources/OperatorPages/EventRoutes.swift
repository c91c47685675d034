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
    /// Looks in the longest silence: a client that has gone is noticed by what it does not take,
    /// and keeps its place until then.
    private static let silence = 4

    let flowService: any FlowOperatorService
    let access: AccessControl

    private struct Told: Encodable {
        var topics: [String]
        var notes: EventNotes
    }

    /// A stream of events tells a page why there is none: it sees no status.
    private struct Refused: Encodable {
        var refusal: String
    }

    func add(to api: RouterGroup<BasicRequestContext>) {
        api.get("events") { request, _ in
            // Each costs a connection to the broker: not for the asking by any page of a browser.
            guard request.method == .get, access.isFromOwnPage(request) else {
                throw HTTPError(.forbidden, message: "events are for the page of this worker")
            }
            let text = request.form("pattern") ?? "#"
            guard let pattern = EventPattern(text) else {
                return refused("A pattern is 1 to 255 characters without spaces, such as task.#.")
            }
            guard let listener = flowService.listen(to: pattern) else {
                return refused("As many pages as may do so listen to this worker: close one.")
            }
            return stream { writer in try await tell(listener, request, &writer) }
        }
    }

    private func refused(_ reason: String) -> Response {
        stream { writer in try await Self.write(Refused(refusal: reason), to: &writer) }
    }

    private func stream(
        _ write: @escaping @Sendable (inout any ResponseBodyWriter) async throws -> Void
    ) -> Response {
        Response(
            status: .ok,
            // Nginx would keep events until it has some thousand bytes.
            headers: [
                .contentType: "text/event-stream", .init("X-Accel-Buffering")!: "no",
                .cacheControl: "no-store",
            ],
            body: ResponseBody { writer in
                try await write(&writer)
                try await writer.finish(nil)
            }
        )
    }

    private static func write(
        _ data: some Encodable,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        let json = String(buffer: ByteBuffer.json(data))
        try await writer.write(ByteBuffer(string: "data: \(json)\n\n"))
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
                let told = Told(topics: flowService.eventTopics, notes: notes)
                try await Self.write(told, to: &writer)
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
