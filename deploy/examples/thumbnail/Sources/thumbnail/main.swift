import AmityWorker

struct Thumbnail: TaskHandler {
    struct Payload: Decodable { var width: Int, height: Int }
    static let type = "thumbnail"

    func run(_ payload: Payload, in context: TaskContext) throws -> [String: Int] {
        context.report(50, "scaled")
        return ["width": payload.width / 10, "height": payload.height / 10]
    }
}

await AmityWorker.run(Thumbnail())
