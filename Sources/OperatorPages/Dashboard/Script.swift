import Digests
import Hummingbird

/// A module of the dashboard's script, served as `/assets/<name>` with the page's access control.
struct Script {
    /// By name, as the modules import each other.
    static let modules: [String: Script] = [
        "bar.js": Script(PackageResources.bar_js),
        "batch-words.js": Script(PackageResources.batch_words_js),
        "batch.js": Script(PackageResources.batch_js),
        "batches.js": Script(PackageResources.batches_js),
        "charts.js": Script(PackageResources.charts_js),
        "confirm.js": Script(PackageResources.confirm_js),
        "dead-letters.js": Script(PackageResources.dead_letters_js),
        "elements.js": Script(PackageResources.elements_js),
        "events.js": Script(PackageResources.events_js),
        "explanation.js": Script(PackageResources.explanation_js),
        "failures.js": Script(PackageResources.failures_js),
        "feeds.js": Script(PackageResources.feeds_js),
        "figures.js": Script(PackageResources.figures_js),
        "flow-actions.js": Script(PackageResources.flow_actions_js),
        "flow.js": Script(PackageResources.flow_js),
        "format.js": Script(PackageResources.format_js),
        "graph.js": Script(PackageResources.graph_js),
        "history.js": Script(PackageResources.history_js),
        "limits.js": Script(PackageResources.limits_js),
        "main.js": Script(PackageResources.main_js),
        "pages.js": Script(PackageResources.pages_js),
        "problems.js": Script(PackageResources.problems_js),
        "resources.js": Script(PackageResources.resources_js),
        "said.js": Script(PackageResources.said_js),
        "schedules.js": Script(PackageResources.schedules_js),
        "search.js": Script(PackageResources.search_js),
        "task-actions.js": Script(PackageResources.task_actions_js),
        "task-list.js": Script(PackageResources.task_list_js),
        "task-queues.js": Script(PackageResources.task_queues_js),
        "task-words.js": Script(PackageResources.task_words_js),
        "task.js": Script(PackageResources.task_js),
        "tasks.js": Script(PackageResources.tasks_js),
        "theme.js": Script(PackageResources.theme_js),
        "verdict.js": Script(PackageResources.verdict_js),
        "workers.js": Script(PackageResources.workers_js),
    ]

    private let text: ByteBuffer
    /// Changes with the text, so that a browser keeps a module until another version is served.
    private let tag: String

    private init(_ bytes: [UInt8]) {
        text = ByteBuffer(bytes: bytes)
        tag = "\"\(Digest.sha256(bytes).prefix(8).hexadecimal)\""
    }

    static func add(to router: Router<BasicRequestContext>) {
        router.get("assets/:name") { request, context in
            guard let script = try modules[context.parameters.require("name")] else {
                throw HTTPError(.notFound)
            }
            return script.response(to: request)
        }
    }

    private func response(to request: Request) -> Response {
        let headers: HTTPFields = [
            .contentType: "text/javascript; charset=utf-8",
            .cacheControl: "private, no-cache",
            .eTag: tag,
        ]
        guard request.headers[.ifNoneMatch] != tag else {
            return Response(status: .notModified, headers: headers)
        }
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: text))
    }
}
