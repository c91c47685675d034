import Foundation
import JSON
import TaskRunning
import Tasks

/// A handler of a package, as the runtime takes it.
struct TypedHandler<Handler: TaskHandler>: RunHandler {
    let needsToken = false
    let handler: Handler

    func run(_ task: ClaimedTask, in context: RunContext) -> RunEnd {
        let payload: Handler.Payload
        do {
            payload = try JSONDecoder().decode(Handler.Payload.self, from: Data(task.payload.utf8))
        } catch {
            // The decoder's text names members and may quote values.
            return .failed(
                code: HandlerFailure.invalidPayload.rawValue,
                message: "the payload is not as the handler reads it",
                retries: false
            )
        }
        let own = TaskContext(task, context)
        do {
            let result = try handler.run(payload, in: own)
            let json = try JSONEncoder.stored.encode(result)
            return .completed(
                result: String(decoding: json, as: UTF8.self),
                effects: own.effects
            )
        } catch let failure as TaskFailure {
            return .failed(
                code: failure.code,
                message: failure.message,
                retries: failure.retries,
                after: failure.after
            )
        } catch is CancellationError {
            return .stopped
        } catch {
            return .failed(
                code: HandlerFailure.handlerError.rawValue,
                message: "\(error)",
                retries: true
            )
        }
    }
}

private enum HandlerFailure: String {
    case invalidPayload = "INVALID_PAYLOAD"
    case handlerError = "HANDLER_ERROR"
}
