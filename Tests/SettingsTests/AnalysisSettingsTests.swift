import AnalysisServices
import Foundation
import Testing

@testable import Settings

private func services(_ variables: [String: String]) throws -> AnalysisSettings.Services {
    guard case .services(let services) = try settings(variables).analysis.mode else {
        throw SettingsError(mistakes: ["no services"])
    }
    return services
}

/// Names of the settings that are complained about.
private func complaints(_ variables: [String: String]) -> [String] {
    do {
        _ = try settings(variables)
        return []
    } catch {
        let mistakes = (error as? SettingsError)?.mistakes ?? ["\(error)"]
        return mistakes.map { String($0.prefix { $0 != ":" && $0 != " " }) }
    }
}

struct AnalysisSettingsTests {
    /// As a team brings it that ran the Python service.
    private let groq = [
        "LLM_ANALYSIS_ENABLED": "true", "GROQ_API_KEY": "canary-key", "GROQ_MODEL": "llama",
        "MEMORY_API_URL": "https://memory.example/api/",
    ]

    @Test func whoIsAskedFollowsFromOneSetting() throws {
        guard case .builtIn = try settings([:]).analysis.mode,
            case .zeros = try settings(["LLM_ANALYSIS_ENABLED": "False"]).analysis.mode,
            case .services = try settings(groq).analysis.mode
        else {
            Issue.record("another one is asked")
            return
        }
    }

    @Test func thePythonServicesSettingsAreEnough() throws {
        let services = try services(groq)
        #expect(services.chat.url == "https://api.groq.com/openai/v1/chat/completions")
        #expect(services.chat.key == "canary-key")
        #expect(services.model == "llama")
        #expect(services.memory?.url == "https://memory.example/api/extract_facts")
        #expect(services.memory?.key == nil)
        #expect(services.fallback == .builtIn)
        #expect(services.chat.timeout == .seconds(20) && services.memory?.timeout == .seconds(30))
        #expect(services.chat.concurrency == 10 && services.chat.requestsPerSecond == nil)
        #expect(services.plainText.isEmpty)
    }

    @Test func oursWinOverThose() throws {
        let services = try services(
            groq.merging([
                "LLM_BASE_URL": "http://llm:8000/v1", "LLM_API_KEY": "k", "LLM_MODEL": "m",
                "LLM_CONCURRENCY_MAX": "3", "LLM_REQUESTS_PER_SECOND": "0.5",
                "MEMORY_API_ENABLED": "FALSE", "ANALYSIS_FALLBACK": "Retry",
            ]) { $1 }
        )
        #expect(services.chat.url == "http://llm:8000/v1/chat/completions")
        #expect(services.chat.key == "k" && services.model == "m")
        #expect(services.chat.concurrency == 3 && services.chat.requestsPerSecond == 0.5)
        #expect(services.memory == nil && services.fallback == .retry)
        #expect(services.plainText == ["LLM_BASE_URL"])
    }

    /// Fault: Groq's key goes to another host that LLM_BASE_URL names.
    @Test func aKeyOfGroqsGoesToGroqOnly() throws {
        let other = groq.merging(["LLM_BASE_URL": "https://other.example/v1"]) { $1 }
        #expect(complaints(other) == ["LLM_API_KEY"])
        let local = groq.merging(["LLM_BASE_URL": "http://127.0.0.1:8000/v1"]) { $1 }
        #expect(try services(local).chat.key == nil)
        #expect(try services(local).plainText.isEmpty)
    }

    /// Fault: a worker starts, and finds out with the first conversation that it has no key.
    @Test func whatIsMissingIsNamedAtTheStart() {
        #expect(
            complaints(["LLM_ANALYSIS_ENABLED": "true"]) == [
                "LLM_API_KEY", "LLM_MODEL", "MEMORY_API_URL",
            ]
        )
        #expect(complaints(["LLM_ANALYSIS_ENABLED": "yes"]) == ["LLM_ANALYSIS_ENABLED"])
        for url in [
            "memory.example", "ftp://h/", "http://", "http://user:canary@h/",
            "http://h/?key=canary",
            "http://h:99999",
        ] {
            let found = complaints(groq.merging(["MEMORY_API_URL": url]) { $1 })
            #expect(found == ["MEMORY_API_URL"], "\(url)")
        }
        let slow = groq.merging(["LLM_TIMEOUT_SECONDS": "900"]) { $1 }
        #expect(complaints(slow) == ["LLM_TIMEOUT_SECONDS"])
    }

    @Test func noSecretIsShown() {
        let bad = groq.merging([
            "LLM_BASE_URL": "https://canary@h/", "MEMORY_API_URL": "http://h/?canary",
            "LLM_API_KEY": "canary", "LLM_API_KEY_FILE": "/nowhere/canary",
        ]) { $1 }
        do {
            _ = try settings(bad)
            Issue.record("these settings were accepted")
        } catch {
            #expect(!"\(error)".contains("canary"))
        }
    }

    /// Fault: the broker takes messages back that wait behind slow services, again and again.
    @Test func noMoreIsInHandThanItsTurnComesForInTime() throws {
        #expect(try settings(groq).prefetch(batchLimit: 128) == 300)
        #expect(try settings(groq).prefetch(batchLimit: 1) == 20, "nothing is read ahead")
        func prefetch(_ more: [String: String]) throws -> UInt16 {
            try settings(groq.merging(more) { $1 }).prefetch(batchLimit: 32)
        }
        #expect(try prefetch(["MEMORY_API_TIMEOUT_SECONDS": "300"]) == 30)
        #expect(try prefetch(["LLM_REQUESTS_PER_SECOND": "0.1"]) == 90)
        #expect(try prefetch(["LLM_REQUESTS_PER_SECOND": "0.001"]) == 10)
        #expect(try prefetch(["PREFETCH_COUNT": "7"]) == 7)
        let quick = ["LLM_TIMEOUT_SECONDS": "5", "MEMORY_API_TIMEOUT_SECONDS": "5"]
        #expect(try prefetch(quick) == 256)
    }
}
