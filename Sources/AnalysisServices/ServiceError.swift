// Asks the services behind an analysis: a chat model over an OpenAI-compatible endpoint, and the
// memory service. It speaks HTTP, and knows neither SQL nor AMQP. What children say passes through
// here on its way out: no text of a conversation, no key and no body is ever logged or put into an
// error.

import HTTPCalling

/// Why a service gave no number. Its words are safe to log and to store.
package enum ServiceError: Error, Sendable, Hashable, CustomStringConvertible {
    /// No complete answer in time.
    case timeout
    /// No connection, or one that broke.
    case unreachable(ConnectionFailure)
    /// Answered with this HTTP status, which is none of 200 to 299. Redirects are not followed.
    case status(Int)
    /// Answered at greater length than anything it could have to say.
    case tooLarge
    /// Answered with what is not in the form it should have.
    case malformed
    /// A well-formed answer with an impossible value: a negative number, an unknown emotion.
    case unusable
    /// Not asked: it has failed too often just now.
    case circuitOpen
    /// Given up by us, at a drain.
    case cancelled

    /// In score details, e.g. `timeout` or `http-503`.
    package var code: String {
        switch self {
        case .timeout: "timeout"
        case .unreachable: "unreachable"
        case .status(let status): "http-\(status)"
        case .tooLarge: "answer-too-large"
        case .malformed: "answer-malformed"
        case .unusable: "answer-unusable"
        case .circuitOpen: "circuit-open"
        case .cancelled: "cancelled"
        }
    }

    package var description: String {
        if case .unreachable(let failure) = self { "\(code): \(failure.text)" } else { code }
    }

    /// Whether asking again at once may help.
    var mayPass: Bool {
        switch self {
        case .unreachable: true
        case .status(let status): status == 429 || status >= 500
        case .timeout, .tooLarge, .malformed, .unusable, .circuitOpen, .cancelled: false
        }
    }

    /// What it says about the service, whichever conversation it was about.
    var verdict: CircuitBreaker.Verdict {
        switch self {
        case .timeout, .unreachable, .tooLarge, .malformed: .failed
        // Refuses this conversation, not all of them: too long, or not to its taste.
        case .status(400), .status(413), .status(422): .answered
        case .status: .failed
        case .unusable: .answered
        case .circuitOpen, .cancelled: .unknown
        }
    }
}
