import Foundation
import Testing

extension Integration {
    /// Ids, reasons and names come from outside. What is written for people cannot steer a
    /// terminal, hide, or run in a shell.
    struct StrangeText {
        /// ESC, BEL, C1, DEL, a bidirectional override, a zero-width space, a line separator,
        /// quotes and a command.
        private static let id =
            "-\u{1B}[2J\u{7}\u{9B}31m\u{7F}\u{202E}\u{200B}\u{2028}\n'\"$(touch owned)`id`"

        /// Fault: the id of a message clears the operator's screen, or shows another id than the
        /// one that is meant.
        @Test(arguments: ["text", "json"])
        func noOutputHoldsWhatSteersATerminal(format: String) throws {
            let scene = try Scene(settings: ["MAX_ATTEMPTS": "1", "LOG_FORMAT": format])
            try scene.addConversation(Self.id, log: #"{"no":"list"}"#)
            let worker = try scene.startWorker()
            let body = try JSONEncoder().encode(["conversation_id": Self.id])
            try scene.publish([Array(body), Array(#"{"conversation_id":"\#u{9B}31mgone"}"#.utf8)])
            try eventually("both are dead") { try scene.deadLetters.ready() == 2 }
            var outputs: [String: String] = [:]
            for arguments in [
                ["explain", "--", Self.id], ["explain", "--json", "--", Self.id],
                ["dead-letters", "list"], ["dead-letters", "list", "--json"],
                ["dead-letters", "show", "--", Self.id], ["dead-letters", "show", "nowhere\u{1B}"],
                ["dead-letters", "show", "--body-because", "a test", "--", Self.id],
                ["status"], ["status", "--json"], ["doctor", "--all"],
                ["doctor", "--all", "--json"],
                ["publish", "--via-exchange", "--", Self.id],
            ] {
                let result = try scene.amity(arguments)
                outputs[arguments.joined(separator: " ")] = result.output + result.error
            }
            let wrong = try scene.amity(["migrate"], ["LOG_LEVEL": Self.id, "BATCH_MAX": "\u{9B}"])
            #expect(wrong.status == 78)
            outputs["wrong settings"] = wrong.output + wrong.error
            worker.signal(SIGTERM)
            _ = try worker.waitForExit()
            outputs["the log"] = worker.log
            #expect(worker.log.contains("message.dead-lettered"))
            for (place, text) in outputs {
                let bad = text.unicodeScalars.filter {
                    switch $0.properties.generalCategory {
                    case .control: $0 != "\n"
                    case .format, .lineSeparator, .paragraphSeparator: true
                    case _: false
                    }
                }
                #expect(bad.isEmpty, "\(place.debugDescription): \(text.debugDescription)")
            }
            // What is proposed can be pasted into a shell as it stands.
            let explained = try #require(outputs["explain -- \(Self.id)"])
            let command = try #require(
                explained.firstRange(of: "dead-letters retry --conversation=")
            )
            #expect(explained[command.upperBound...].hasPrefix("$'-\\x1b'"))
        }
    }
}
