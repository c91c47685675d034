/// The rows about analysis and score.
extension Setting {
    static let analysis: [Setting] = [
        .init(
            "LLM_ANALYSIS_ENABLED",
            .choice(["true", "false"]),
            """
            true asks the services below for questions, emotion and memories; false counts zeros, \
            as the Python service did; not set is the built-in analysis, which sends nothing
            """
        ),
        .init(
            "ANALYSIS_FALLBACK",
            .choice(["built-in", "zeros", "retry"]),
            default: "built-in",
            "what counts when a service gives no number: the built-in analysis, zeros, or retry: "
                + "the message runs again later"
        ),
        .init(
            "LLM_BASE_URL",
            .text,
            default: "https://api.groq.com/openai/v1",
            "OpenAI-compatible endpoint; /chat/completions is added"
        ),
        .init("LLM_MODEL", .text, "model to ask for questions and emotion; default: GROQ_MODEL"),
        .init(
            "LLM_API_KEY",
            .secret,
            "key for that endpoint; default: GROQ_API_KEY, where the endpoint is Groq's"
        ),
        .init("GROQ_API_KEY", .secret, "the Python service's name for it; sent to Groq only"),
        .init("GROQ_MODEL", .text, "the Python service's name for LLM_MODEL"),
        .init(
            "LLM_TIMEOUT_SECONDS",
            .number(0.1...3600),
            unit: "s",
            default: "20",
            "time for one answer of the model, with retries, without the wait for a free request"
        ),
        .init(
            "LLM_CONCURRENCY_MAX",
            .integer(1...1000),
            unit: "requests",
            "most requests to the model at once; default: one a thread"
        ),
        .init(
            "LLM_REQUESTS_PER_SECOND",
            .number(0...10000),
            unit: "requests",
            default: "0",
            "most requests to the model a second, from one worker; 0 for no limit"
        ),
        .init("MEMORY_API_URL", .text, "memory service; /extract_facts is added"),
        .init(
            "MEMORY_API_ENABLED",
            .choice(["true", "false"]),
            default: "true",
            "false counts 0 memories instead of asking for them, where the model is asked"
        ),
        .init(
            "MEMORY_API_TIMEOUT_SECONDS",
            .number(0.1...3600),
            unit: "s",
            default: "30",
            "time for one answer of the memory service, retries included"
        ),
        .init(
            "MEMORY_API_CONCURRENCY_MAX",
            .integer(1...1000),
            unit: "requests",
            "most requests to the memory service at once; default: one a thread"
        ),
        .init(
            "MEMORY_API_REQUESTS_PER_SECOND",
            .number(0...10000),
            unit: "requests",
            default: "0",
            "most requests to the memory service a second, from one worker; 0 for no limit"
        ),
    ]

    private static let points = -1_000_000.0...1_000_000.0

    static let score: [Setting] = [
        .init(
            "SCORE_PER_TURN",
            .number(points),
            unit: "points",
            default: "1",
            "for each turn"
        ),
        .init(
            "SCORE_PER_QUESTION",
            .number(points),
            unit: "points",
            default: "3",
            "for each question the user asked of their own accord"
        ),
        .init(
            "SCORE_PER_MEMORY",
            .number(points),
            unit: "points",
            default: "5",
            "for each new memory"
        ),
        .init(
            "SCORE_EMOTION_INTERESTING",
            .number(points),
            unit: "points",
            default: "15",
            "when the conversation was interesting"
        ),
        .init(
            "SCORE_EMOTION_BORING",
            .number(points),
            unit: "points",
            default: "-15",
            "when it was boring"
        ),
    ]
}
