import AnalysisServices
import Foundation

/// Who finds questions, emotion and memories.
package struct AnalysisSettings: Sendable {
    package enum Mode: Sendable {
        case builtIn
        case zeros
        case services(Services)
    }

    package struct Services: Sendable {
        package var chat: ServiceSettings
        package var model: String
        /// nil where it is switched off.
        package var memory: ServiceSettings?
        package var fallback: AnalysisFallback
        /// Settings whose address is another machine, and not encrypted.
        package var plainText: [String]
    }

    package var mode: Mode

    /// - Parameters:
    ///   - threads: of one worker.
    ///   - holdLimit: after which messages go back to the queue, so no answer may take as long.
    ///   - mistakes: where it says what it cannot accept; it is nil then.
    init?(
        _ values: SettingValues,
        threads: Int,
        holdLimit: Duration,
        _ mistakes: inout [String]
    ) {
        switch values.text("LLM_ANALYSIS_ENABLED")?.lowercased() {
        case nil: mode = .builtIn
        case "true":
            guard let services = Services(values, threads, holdLimit, &mistakes) else { return nil }
            mode = .services(services)
        case _: mode = .zeros
        }
    }
}

extension AnalysisSettings.Services {
    fileprivate init?(
        _ values: SettingValues,
        _ threads: Int,
        _ holdLimit: Duration,
        _ mistakes: inout [String]
    ) {
        let before = mistakes.count
        let base = Self.url("LLM_BASE_URL", values, &mistakes)
        // Another service's key is sent to that service alone.
        let isGroqsKey = values.text("LLM_API_KEY") == nil && base?.isGroq == true
        let keyName = isGroqsKey ? "GROQ_API_KEY" : "LLM_API_KEY"
        let key = values.text(keyName)
        if let base, key == nil, !base.isLoopback {
            let groq = base.isGroq ? " (or GROQ_API_KEY)" : ""
            mistakes.append("LLM_API_KEY\(groq): LLM_ANALYSIS_ENABLED is true and needs it")
        }
        let model = values.text("LLM_MODEL") ?? values.text("GROQ_MODEL")
        if model == nil {
            mistakes.append("LLM_MODEL (or GROQ_MODEL): LLM_ANALYSIS_ENABLED is true and needs it")
        }
        let isMemoryOn = values.text("MEMORY_API_ENABLED")?.lowercased() != "false"
        let memoryURL = isMemoryOn ? Self.url("MEMORY_API_URL", values, &mistakes) : nil
        for name in ["LLM_TIMEOUT_SECONDS", "MEMORY_API_TIMEOUT_SECONDS"]
        where .seconds(values.number(name)) >= holdLimit {
            mistakes.append("\(name): it is not less than half of CONSUMER_TIMEOUT_SECONDS")
        }
        guard mistakes.count == before, let base, let model else { return nil }
        self.model = model
        func service(_ url: AddressText, _ path: String, _ key: String?, _ prefix: String)
            -> ServiceSettings
        {
            let perSecond = values.number("\(prefix)_REQUESTS_PER_SECOND")
            return ServiceSettings(
                url: url.plainURL + path,
                key: key,
                timeout: .seconds(values.number("\(prefix)_TIMEOUT_SECONDS")),
                concurrency: values.integer("\(prefix)_CONCURRENCY_MAX", default: threads),
                requestsPerSecond: perSecond > 0 ? perSecond : nil
            )
        }
        chat = service(base, "/chat/completions", key, "LLM")
        if values.isRenewable([keyName]) {
            chat.renewKey = {
                do throws(SecretFile.Unreadable) {
                    return try values.renewed([keyName]).text(keyName)
                } catch { return nil }
            }
        }
        memory = memoryURL.map { service($0, "/extract_facts", nil, "MEMORY_API") }
        fallback =
            AnalysisFallback(rawValue: values.text("ANALYSIS_FALLBACK")?.lowercased() ?? "")
            ?? .builtIn
        let addresses = [("LLM_BASE_URL", base), ("MEMORY_API_URL", memoryURL)]
        plainText = addresses.filter { $1.map { !$0.isEncrypted && !$0.isLoopback } ?? false }
            .map(\.0)
    }

    private static func url(
        _ name: String,
        _ values: SettingValues,
        _ mistakes: inout [String]
    ) -> AddressText? {
        guard let text = values.text(name) else {
            // Set, and refused already.
            if mistakes.contains(where: { $0.hasPrefix("\(name): ") }) { return nil }
            let instead = name == "MEMORY_API_URL" ? "; or set MEMORY_API_ENABLED=false" : ""
            mistakes.append("\(name): LLM_ANALYSIS_ENABLED is true and needs it\(instead)")
            return nil
        }
        do throws(AddressText.Mistake) {
            let address = try AddressText(text)
            guard ["http", "https"].contains(address.scheme), address.user == nil,
                address.password == nil, address.query == nil
            else { throw .noURL }
            return address
        } catch {
            // Not the value: a key may have been put into it.
            mistakes.append(
                """
                \(name): its value is not accepted; use http://host:port/path or https://…, \
                without user, password or ?parameters
                """
            )
            return nil
        }
    }
}

extension AddressText {
    fileprivate var isEncrypted: Bool { scheme == "https" }
    fileprivate var isLoopback: Bool { Loopback.contains(hosts[0].name) }
    fileprivate var isGroq: Bool { hosts[0].name.lowercased() == "api.groq.com" }
}

extension AnalysisSettings {
    /// Most messages in hand, so that the last of them gets its turn before the broker loses
    /// patience, should each take as long as it may; nil where nothing is waited for.
    func mostInHand(threads: Int, within limit: Duration) -> Int? {
        guard case .services(let services) = mode else { return nil }
        let rates = [services.chat, services.memory].compactMap(\.self).map { service in
            let slowest =
                Double(min(service.concurrency, threads)) / (service.timeout / .seconds(1))
            return min(slowest, service.requestsPerSecond ?? .infinity)
        }
        let most = (rates.min() ?? 0) * (limit / .seconds(1))
        return max(threads, Int(min(most, 65535)))
    }
}
