import AnalysisServices

/// The services behind the analysis: whether they answer, let Amity in, and have the model.
struct AnalysisServicesCheck: Check {
    let name = "analysis-services"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let services = seen.options.services else { return [] }
        return seen.services.map { snapshot in
            if let problem = snapshot.problem {
                let remedy = problem.remedy.map { ": \($0)" } ?? ""
                let (makeFinding, meanwhile) = meaning(of: services.fallback)
                return makeFinding("\(problem.text); \(meanwhile)\(remedy)", .service)
            }
            let model = services.model
            if snapshot.service == .chatModel, let models = snapshot.models, !models.contains(model)
            {
                return .warning(
                    """
                    the chat model's list of \(models.count) models has no \(model): check LLM_MODEL
                    """,
                    by: .service
                )
            }
            return .ok("\(snapshot.service.title) answers", by: .service)
        }
    }

    /// What it costs that a service does not answer.
    private func meaning(
        of fallback: AnalysisFallback
    ) -> (make: (String, Finding.Source) -> Finding, meanwhile: String) {
        switch fallback {
        case .builtIn: ({ .warning($0, by: $1) }, "the built-in analysis stands in")
        case .zeros: ({ .warning($0, by: $1) }, "zeros are counted")
        case .retry: ({ .error($0, by: $1) }, "conversations wait and are then dead-lettered")
        }
    }
}
