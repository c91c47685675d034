// Everything that touches librabbitmq. A connection lives on one thread and is used by no other;
// what crosses threads are values (`Delivery`, `Completion`) through mailboxes.

import CRabbitMQ
import WorkerRuntime

/// What went wrong between us and the broker, safe to log: no password, no body.
package enum AMQPError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The library gave up: a socket, a timeout, bytes that are not AMQP. `status` is its code.
    case library(status: Int32, during: String)
    /// The broker closed the connection or the channel, e.g. 406 PRECONDITION_FAILED.
    case closedByBroker(code: UInt16, text: String, during: String)
    /// The link could not be encrypted, or leads to somebody else.
    case insecure(TLSFailure, during: String)
    /// No address could be found for the host.
    case unresolved(host: String, reason: String)
    /// A call of the library took so long that its socket was shut.
    case unresponsive(during: String)
    /// The broker cancelled our consumer, e.g. because the queue was deleted.
    case consumerCancelled
    /// The queue has messages, the consumer is free, and gets none.
    case stalled(ready: Int)
    /// Frames in an order that AMQP does not allow.
    case protocolViolation(String)
    /// The file with the password cannot be used now. With the setting and the reason.
    case noCredentials(String)

    package var description: String {
        switch self {
        case .library(let status, let operation):
            "\(operation): \(String(cString: amqp_error_string2(status)))"
        case .closedByBroker(let code, let text, let operation):
            "\(operation): the broker answered \(code) \(text)"
        case .insecure(let failure, let operation): "\(operation): \(failure)"
        case .unresolved(let host, let reason): "resolve \(host): \(reason)"
        case .unresponsive(let operation):
            "\(operation): the broker took nothing and answered nothing for too long"
        case .consumerCancelled: "the broker cancelled the consumer (queue deleted or moved?)"
        case .stalled(let ready):
            """
            \(ready) messages are ready and none is delivered; another consumer may hold the queue \
            (single active consumer, a higher priority), or the broker has lost this one
            """
        case .protocolViolation(let what): "unexpected frame: \(what)"
        case .noCredentials(let reason): reason
        }
    }

    /// - Parameter handshake: the one that was under way.
    static func failure(
        _ status: Int32,
        during operation: String,
        _ handshake: Handshake? = nil
    ) -> AMQPError {
        switch status {
        case AMQP_STATUS_SSL_ERROR.rawValue, AMQP_STATUS_SSL_CONNECTION_FAILED.rawValue:
            .insecure(.fromQueue(during: handshake), during: operation)
        case _:
            .library(status: status, during: operation)
        }
    }

    /// Why a connection was lost, or not opened, as a metric's label has it.
    enum Cause: String, CaseIterable, Sendable {
        case link
        case closedByBroker = "closed-by-broker"
        case insecure
        case unresolved
        case unresponsive
        case consumerCancelled = "consumer-cancelled"
        case stalled
        case protocolViolation = "protocol-violation"
        case noCredentials = "no-credentials"
    }

    var cause: Cause {
        switch self {
        case .library: .link
        case .closedByBroker: .closedByBroker
        case .insecure: .insecure
        case .unresolved: .unresolved
        case .unresponsive: .unresponsive
        case .consumerCancelled: .consumerCancelled
        case .stalled: .stalled
        case .protocolViolation: .protocolViolation
        case .noCredentials: .noCredentials
        }
    }

    /// As the worker's health has it.
    func problem(of link: LinkHealth.Link, _ subject: String? = nil) -> LinkHealth.Problem {
        .init(link: link, subject: subject, kind: kind, code: code, text: "\(self)")
    }

    private var kind: LinkHealth.Kind {
        switch self {
        case .library, .unresolved, .unresponsive, .stalled: .away
        case .insecure, .noCredentials: .refused
        case .consumerCancelled: .missing
        case .protocolViolation: .badAnswer
        case .closedByBroker(let code, _, _):
            switch code {
            case ReplyCode.accessRefused, ReplyCode.notAllowed: .refused
            case ReplyCode.notFound: .missing
            case ReplyCode.preconditionFailed: .notTaken
            case _: .away
            }
        }
    }

    /// Tells causes apart, for programs.
    private var code: String {
        switch self {
        case .library(let status, _): "\(cause.rawValue) \(status)"
        case .closedByBroker(let code, _, _): "\(code)"
        case .insecure, .unresolved, .unresponsive, .consumerCancelled, .stalled,
            .protocolViolation, .noCredentials:
            cause.rawValue
        }
    }

    /// During a login: says where the password came from that the broker has refused.
    func naming(passwordOf endpoint: Endpoint) -> AMQPError {
        guard case .closedByBroker(ReplyCode.accessRefused, let text, let operation) = self,
            let origin = endpoint.passwordOrigin
        else { return self }
        return .closedByBroker(
            code: ReplyCode.accessRefused,
            text: "\(text); the password from \(origin) was refused",
            during: operation
        )
    }

    /// The broker's reply code, when it gave one.
    package var replyCode: UInt16? {
        if case .closedByBroker(let code, _, _) = self { code } else { nil }
    }
}

/// The reply codes of AMQP 0-9-1 that are acted on.
package enum ReplyCode {
    package static let accessRefused: UInt16 = 403
    package static let notFound: UInt16 = 404
    package static let preconditionFailed: UInt16 = 406
    /// Of a connection, e.g. to a virtual host that is not there.
    package static let notAllowed: UInt16 = 530
}
