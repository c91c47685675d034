import Foundation

@testable import ConversationIntake

/// A request of any content is stored as JSON that PostgreSQL takes, or refused with an answer that
/// is JSON.
func fuzzIntake(_ bytes: UnsafeRawBufferPointer) {
    do throws(ConversationEnd.Refusal) {
        let event = try ConversationEnd(body: Array(bytes))
        for log in [event.log, event.rawLog].compactMap(\.self) {
            let list = json(Array(log.utf8))
            expect(list is [[String: Any]], "a log is stored that is no list of objects")
        }
        expect(event.start < event.end, "an end before the start is taken")
        expect(!event.conversationID.utf8.contains(0), "an id with a NUL is taken")
    } catch {
        let answer = IntakeAnswer(error)
        expect([400, 422].contains(answer.status), "refused with \(answer.status)")
        expect(json(answer.body) is [String: Any], "the answer is no JSON")
    }
}

/// nil for what Foundation does not read.
private func json(_ bytes: [UInt8]) -> Any? {
    do {
        return try JSONSerialization.jsonObject(with: Data(bytes))
    } catch {
        return nil
    }
}
