import Foundation

extension LinkHealth {
    /// What a part of a link suffers from, as health answers have it.
    package struct ShownProblem: Encodable, Sendable {
        private var link: Link
        private var subject: String?
        private var kind: Kind
        private var code: String
        private var since: Date
        private var text: String?
        private var remedy: String?

        /// - Parameter showsTexts: which name hosts, users and settings.
        package init(_ report: Report, showsTexts: Bool) {
            link = report.problem.link
            subject = report.problem.subject
            kind = report.problem.kind
            code = report.problem.code
            since = report.since
            if showsTexts {
                text = report.problem.text
                remedy = report.problem.remedy
            }
        }
    }
}
