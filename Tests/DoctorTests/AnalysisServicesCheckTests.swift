import AMQP
import AnalysisServices
import Daemon
import Testing

@testable import Doctor
@testable import Settings

struct AnalysisServicesCheckTests {
    private func findings(_ snapshots: [ServiceProbe.Snapshot], fallback: String = "zeros")
        throws
        -> [Finding]
    {
        let variables = [
            "LLM_ANALYSIS_ENABLED": "true", "LLM_API_KEY": "canary-key-4711", "LLM_MODEL": "m-1",
            "MEMORY_API_URL": "http://localhost:1", "ANALYSIS_FALLBACK": fallback,
        ]
        let snapshot = DoctorSnapshot(
            options: try WorkerSettings(SettingValues { variables[$0] }).doctor,
            host: HostSnapshot(openFilesMax: 1024, secretFiles: []),
            broker: BrokerSnapshot(),
            management: .notAsked,
            database: DatabaseSnapshot(),
            services: snapshots
        )
        return AnalysisServicesCheck().findings(in: snapshot)
    }

    private var refused: ServiceProbe.Snapshot {
        ServiceProbe.Snapshot(
            .chatModel,
            problem: .init(
                link: .chatModel,
                kind: .refused,
                code: "401",
                text: "the chat model refuses the key (HTTP 401)",
                remedy: "check LLM_API_KEY"
            )
        )
    }

    /// Fault: the doctor calls a service that refuses the key an error where the built-in analysis
    /// stands in, or a warning where each conversation ends as a dead letter.
    @Test(arguments: [
        ("built-in", Finding.Level.warning), ("zeros", .warning), ("retry", .error),
    ])
    func aServiceThatRefusesCostsWhatTheFallbackSays(fallback: String, level: Finding.Level) throws
    {
        let found = try findings([refused, .init(.memoryService)], fallback: fallback)
        #expect(found.map(\.level) == [level, .ok])
        #expect(found[0].text.hasPrefix("the chat model refuses the key (HTTP 401); "))
        #expect(found[0].text.hasSuffix(": check LLM_API_KEY"))
    }

    @Test(
        arguments: [
            (["m-1", "m-2"], Finding.Level.ok), (["m-2"], .warning), (nil, .ok),
        ] as [([String]?, Finding.Level)]
    )
    func aModelThatIsNotInTheListIsNamed(models: [String]?, level: Finding.Level) throws {
        let found = try findings([.init(.chatModel, models: models)])
        #expect(found.map(\.level) == [level])
        if level == .warning { #expect(found[0].text.contains("m-1: check LLM_MODEL")) }
    }

    @Test func whereNoServiceIsAskedThereIsNothingToSay() throws {
        #expect(try findings([]).isEmpty)
    }
}
