// Everything that touches librabbitmq. A connection lives on one thread and is used by no other;
// what crosses threads are values (`Delivery`, `Completion`) through mailboxes.

import CRabbitMQ
import Glibc

/// What went wrong between us and the broker, safe to log: no password, no body.
package enum AMQPError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The library gave up: a timeout, bytes that are not AMQP. `status` is its code.
    case library(status: Int32, during: String)
    /// The operating system refused or failed, e.g. ECONNREFUSED; `code` is its errno.
    case system(code: Int32, during: String)
    /// The broker closed the connection or the channel, e.g. 406 PRECONDITION_FAILED.
    case closedByBroker(code: UInt16, text: String, during: String)
    /// The link could not be encrypted, or leads to another host than the one named.
    case insecure(TLSFailure, during: String)
    /// No address could be found for the host.
    case unresolved(host: String, reason: String)
    /// A call of the library took so long that its socket was shut.
    case unresponsive(during: String)
    /// The worker was told to stop, and what it was about to do was given up.
    case interrupted(during: String)
    /// The broker cancelled our consumer, e.g. because the queue was deleted.
    case consumerCancelled
    /// The queue is of a kind that a worker must not consume from.
    case unsuitable(queue: String, QueueDefect)
    /// The queue has messages, the consumer is free, and gets none.
    case stalled(ready: Int)
    /// Frames in an order that AMQP does not allow.
    case protocolViolation(String)
    /// The file with the password cannot be used now. With the setting and the reason.
    case noCredentials(String)

    package var description: String {
        switch self {
        case .library(AMQP_STATUS_CONNECTION_CLOSED.rawValue, let operation):
            "\(operation): the connection was closed without a reason by the broker, or by a proxy "
                + "or load balancer on the way to it"
        case .library(let status, let operation):
            "\(operation): \(String(cString: amqp_error_string2(status)))"
        case .system(let code, let operation): "\(operation): \(String(cString: strerror(code)))"
        case .closedByBroker(let code, let text, let operation):
            "\(operation): the broker answered \(code) \(text)"
        case .insecure(let failure, let operation): "\(operation): \(failure)"
        case .unresolved(let host, let reason): "resolve \(host): \(reason)"
        case .unresponsive(let operation):
            "\(operation): the broker took nothing and answered nothing for too long"
        case .interrupted(let operation): "\(operation): given up, because the worker stops"
        case .consumerCancelled: "the broker cancelled the consumer (queue deleted or moved?)"
        case .unsuitable(let queue, let defect): "queue \(queue) \(defect)"
        case .stalled(let ready):
            """
            \(ready) messages are ready and none is delivered; another consumer may hold the queue \
            (single active consumer, a higher priority), or the broker has lost this one
            """
        case .protocolViolation(let what): "unexpected frame: \(what)"
        case .noCredentials(let reason): reason
        }
    }

    /// - Parameters:
    ///   - systemCode: errno right after the call, 0 when nothing set it.
    ///   - handshake: the one that was under way.
    static func failure(
        _ status: Int32,
        _ systemCode: Int32 = 0,
        during operation: String,
        _ handshake: Handshake? = nil
    ) -> AMQPError {
        switch status {
        case AMQP_STATUS_SSL_ERROR.rawValue, AMQP_STATUS_SSL_CONNECTION_FAILED.rawValue:
            .insecure(.fromQueue(during: handshake), during: operation)
        case AMQP_STATUS_TIMEOUT.rawValue:
            .system(code: ETIMEDOUT, during: operation)
        case AMQP_STATUS_SOCKET_ERROR.rawValue
        where systemCode != 0 && systemCode != EAGAIN && systemCode != EINPROGRESS:
            .system(code: systemCode, during: operation)
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
        case .library, .system, .interrupted: .link
        case .closedByBroker, .unsuitable: .closedByBroker
        case .insecure: .insecure
        case .unresolved: .unresolved
        case .unresponsive: .unresponsive
        case .consumerCancelled: .consumerCancelled
        case .stalled: .stalled
        case .protocolViolation: .protocolViolation
        case .noCredentials: .noCredentials
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

    /// Whether the broker ended the channel alone, or the library refused to send: the connection
    /// can still be used. Codes for the end of a connection are 320 and those from 501 on.
    package var sparesConnection: Bool {
        replyCode.map { $0 != ReplyCode.connectionForced && $0 < 501 } ?? false
    }
}

// MARK: - Checks

extension AMQPError {
    /// - Parameter status: what a call of the library returned.
    static func check(_ status: Int32, _ operation: String) throws(AMQPError) {
        if status != AMQP_STATUS_OK.rawValue { throw .failure(status, errno, during: operation) }
    }

    /// - Parameter reply: the last call's.
    static func check(_ reply: amqp_rpc_reply_t, _ operation: String) throws(AMQPError) {
        switch reply.reply_type {
        case AMQP_RESPONSE_NORMAL:
            return
        case AMQP_RESPONSE_SERVER_EXCEPTION:
            throw Frame.closed(by: reply.reply, during: operation)
                ?? .protocolViolation("method \(reply.reply.id) instead of a reply")
        case _:
            throw .failure(reply.library_error, errno, during: operation)
        }
    }
}

/// The reply codes of AMQP 0-9-1 that are acted on.
package enum ReplyCode {
    /// Of a connection: an administrator closed it, or the node stops.
    package static let connectionForced: UInt16 = 320
    package static let accessRefused: UInt16 = 403
    package static let notFound: UInt16 = 404
    /// Another connection has the queue to itself.
    package static let resourceLocked: UInt16 = 405
    package static let preconditionFailed: UInt16 = 406
    /// Of a connection, e.g. to a virtual host that is not there.
    package static let notAllowed: UInt16 = 530
    /// What a queue of this kind cannot do.
    package static let notImplemented: UInt16 = 540
}

extension AMQPError {
    /// Whether there is no such queue: the reply code is the same for one whose node does not run.
    package var isQueueMissing: Bool {
        replyCode == ReplyCode.notFound && !isAboutAQueueAway
    }
}
