import Foundation
import HTTPServing

@testable import Schedules
@testable import TaskAPI
@testable import TaskRunning
@testable import TaskTypes
@testable import Tasks

/// A request for tasks or a schedule, a message, a file of types, a cron expression: of any content
/// it is taken as something that can be stored, or refused with a reason that names none of it.
func fuzzTask(_ bytes: UnsafeRawBufferPointer) {
    guard let first = bytes.first else { return }
    let body = Array(bytes.dropFirst())
    switch first % 6 {
    case 0:
        refused { () throws(Problem) in
            verify(try TaskBody.task(body, rules: rules, caller: one))
        }
    case 1: refused { () throws(Problem) in try verifyBatch(body) }
    case 2:
        refused { () throws(Problem) in
            _ = try ScheduleBody.definition(body, named: "s", types: rules.types, caller: one)
        }
    case 3:
        guard let message = TaskMessage(body) else { return }
        let again = Array("{\"task_id\":\"\(message.id)\",\"run\":\(message.run)}".utf8)
        expect(TaskMessage(again) == message, "a message is not what it was")
    case 4: fuzzCron(String(decoding: body, as: UTF8.self))
    default:
        do throws(TypesFile.Problems) {
            for type in try TypesFile.parse(Data(body)) {
                expect(TaskType.isName(type.name), "a type of another name is taken")
            }
        } catch {
            expect(!error.list.isEmpty, "a file is refused without a reason")
        }
    }
}

private let one = Caller(scopes: Set(Scope.allCases), kbID: nil)
private let rules = TaskBody.Rules(
    types: ["test": TaskType(name: "test", handler: .swift)],
    targets: .init()
)

private func refused(_ body: () throws(Problem) -> Void) {
    do throws(Problem) {
        try body()
    } catch {
        expect([400, 403, 413, 422].contains(error.status.code), "refused with \(error.status)")
        expect(!error.detail.isEmpty, "refused without a reason")
    }
}

private func verifyBatch(_ body: [UInt8]) throws(Problem) {
    let batch = try TaskBody.batch(body, rules: rules, caller: one, isNew: true)
    expect(batch.isOpen || !batch.tasks.isEmpty, "an empty batch is taken")
    expect(batch.tasks.count <= TaskBody.mostInABatch, "too large a batch is taken")
    for (index, task) in batch.tasks.enumerated() {
        verify(task)
        for case .entry(let need) in task.needs {
            expect((0..<index).contains(need), "a task needs one that is not before it")
        }
    }
}

private func verify(_ task: NewTask) {
    expect(task.type == "test", "a type is taken that does not exist")
    for text in [task.payload, task.tags ?? "[]"] {
        expect(isReadable(text), "what is no JSON is to be stored")
    }
    expect(task.payload.utf8.count <= NewTask.largestPayload, "too large a payload is taken")
    expect(TaskType.retryLimits.contains(task.retryLimit), "a retry limit of \(task.retryLimit)")
    for text in [task.kbID, task.uniqueKey].compactMap(\.self) {
        expect(!text.unicodeScalars.contains("\0"), "a text with a NUL is taken")
    }
}

private func isReadable(_ json: String) -> Bool {
    struct Anything: Decodable {
        init(from decoder: any Decoder) {}
    }
    do {
        _ = try JSONDecoder().decode(Anything.self, from: Data(json.utf8))
        return true
    } catch {
        return false
    }
}

private func fuzzCron(_ text: String) {
    let cron: CronExpression
    do throws(CronExpression.Invalid) {
        cron = try CronExpression(text)
    } catch {
        return expect(!error.description.isEmpty, "refused without a reason")
    }
    // Minutes since 1970, in no time zone.
    var minute = 29_000_000
    for _ in 0..<20 {
        guard let next = cron.next(from: minute) else { return }
        expect(next >= minute, "the next tick is before this one")
        minute = next + 1
    }
}
