import Foundation
import Testing

extension Integration {
    struct SettingNames {
        /// Fault: a misspelt setting is ignored without a word.
        @Test func aNameThatIsIgnoredIsNamedWithoutItsValue() throws {
            let scene = try Scene()
            let wrong = ["RABBITMQ_PASWORD": "canary", "MESSAGE_CONCURENCY_PER_WORKER": "canary"]
            let worker = try scene.startWorker(wrong)
            try worker.waitUntilConsuming()
            let events = worker.events("settings.unknown-name")
            #expect(
                events.map { $0["likely"] as? String } == [
                    "MESSAGE_CONCURRENCY_PER_WORKER", "RABBITMQ_PASSWORD",
                ]
            )
            #expect(events.first?["name"] as? String == "MESSAGE_CONCURENCY_PER_WORKER")
            #expect(events.first?["level"] as? String == "warning")
            let doctor = try scene.amity(["doctor"], wrong).output
            #expect(doctor.contains("MESSAGE_CONCURENCY_PER_WORKER is not a setting"))
            #expect(!(worker.log + doctor).contains("canary"))
        }
    }
}
