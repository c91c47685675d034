/// What a process writes events of.
package struct EventTopics: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let tasks = EventTopics(rawValue: 1)
    package static let scores = EventTopics(rawValue: 2)

    /// Where all events are published.
    package static let exchange = "amity.events"

    /// What a transaction sets so that the trigger on tasks writes events.
    package static let setting = (name: "amity.events", value: "tasks")

    /// - Parameter text: `off`, or a list of `tasks` and `scores` with commas between.
    /// - Returns: nil for anything else, and for one that is named twice.
    package init?(_ text: String) {
        self = []
        if text == "off" { return }
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let topic: EventTopics
            switch part.drop(while: { $0 == " " }).split(separator: " ").first ?? "" {
            case "tasks": topic = .tasks
            case "scores": topic = .scores
            case _: return nil
            }
            if !insert(topic).inserted { return nil }
        }
    }
}
