import HTTPServing
import Hummingbird
import NIOCore
import Postgres
import ServiceLifecycle
import Tasks

/// Tasks and batches as server-sent events.
extension TaskRoutes {
    @Sendable func followTask(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        try caller.require(.readTasks)
        let id = try id(context)
        let found = try await service.call { [kbID = caller.kbID] store throws(PostgresError) in
            try store.get(id, kbID: kbID)
        }
        guard let view = found?.view else { throw Problem.noTask }
        return try follow(.task(id), from: Snapshot(TaskProgress(view)), request)
    }

    @Sendable func followBatch(
        _ request: Request,
        _ context: BasicRequestContext
    ) async throws -> Response {
        let caller = try await callers.caller(of: request)
        let batch = try await batch(context, for: caller)
        return try follow(.batch(batch.id), from: Snapshot(batch), of: caller.kbID, request)
    }

    private func follow(
        _ subject: ProgressStreams.Subject,
        from first: Snapshot,
        of kbID: String? = nil,
        _ request: Request
    ) throws(Problem) -> Response {
        let isKnown = request.headers[.init("Last-Event-ID")!] == first.id
        // A browser comes again after each end, until it gets this.
        if first.isFinal, isKnown { return Response(status: .noContent) }
        guard let subscription = service.streams.watch(subject, from: first, of: kbID) else {
            throw Problem(
                .serviceUnavailable,
                code: "overloaded",
                "too many clients follow tasks; try again, or ask with ?wait=",
                retryAfter: 10
            )
        }
        return Response(
            status: .ok,
            // Nginx would keep events until it has some thousand bytes.
            headers: [.contentType: "text/event-stream", .init("X-Accel-Buffering")!: "no"],
            body: ResponseBody { writer in
                // Until a client comes again, in milliseconds.
                try await writer.write(ByteBuffer(string: "retry: 2000\n\n"))
                var last = isKnown ? first : nil
                for await snapshot in subscription.snapshots.cancelOnGracefulShutdown() {
                    let text = snapshot == last ? ": \n\n" : snapshot.event(after: last)
                    try await writer.write(ByteBuffer(string: text))
                    last = snapshot
                    if snapshot.isFinal { break }
                }
                try await writer.finish(nil)
            }
        )
    }
}
