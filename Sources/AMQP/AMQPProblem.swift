import CRabbitMQ
import Glibc
import WorkerHealth

extension AMQPError {
    /// As the worker's health has it.
    package func problem(of link: LinkHealth.Link, _ subject: String? = nil) -> LinkHealth.Problem {
        .init(
            link: link,
            subject: subject,
            kind: kind,
            code: code,
            text: "\(self)",
            remedy: remedy
        )
    }

    private var kind: LinkHealth.Kind {
        switch self {
        case .library, .system, .unresolved, .unresponsive, .interrupted, .stalled: .away
        case .insecure, .unsuitable, .noCredentials: .refused
        case .consumerCancelled: .missing
        case .protocolViolation: .badAnswer
        case .closedByBroker(let code, _, _):
            switch code {
            case ReplyCode.accessRefused, ReplyCode.resourceLocked, ReplyCode.preconditionFailed,
                ReplyCode.notAllowed, ReplyCode.notImplemented:
                .refused
            case ReplyCode.notFound: .missing
            case _: .away
            }
        }
    }

    /// Tells causes apart, for programs.
    var code: String {
        switch self {
        case .library(AMQP_STATUS_CONNECTION_CLOSED.rawValue, _): "closed"
        case .library(AMQP_STATUS_HEARTBEAT_TIMEOUT.rawValue, _): "heartbeat"
        case .library(let status, _): "library \(status)"
        case .system(let code, _): Self.name(ofErrno: code)
        case .closedByBroker(let code, _, _): "\(code)"
        case .unsuitable(_, let defect): defect.rawValue
        case .interrupted: "interrupted"
        case .insecure, .unresolved, .unresponsive, .consumerCancelled, .stalled,
            .protocolViolation, .noCredentials:
            cause.rawValue
        }
    }

    /// E.g. ECONNREFUSED.
    private static func name(ofErrno code: Int32) -> String {
        errnoNames[code] ?? "errno \(code)"
    }

    /// Of what connect, send and receive fail with.
    private static let errnoNames: [Int32: String] = [
        EACCES: "EACCES", EADDRNOTAVAIL: "EADDRNOTAVAIL", ECONNABORTED: "ECONNABORTED",
        ECONNREFUSED: "ECONNREFUSED", ECONNRESET: "ECONNRESET", EHOSTDOWN: "EHOSTDOWN",
        EHOSTUNREACH: "EHOSTUNREACH", EMFILE: "EMFILE", ENETDOWN: "ENETDOWN",
        ENETRESET: "ENETRESET", ENETUNREACH: "ENETUNREACH", ENFILE: "ENFILE",
        ENOBUFS: "ENOBUFS", ENOMEM: "ENOMEM", EPERM: "EPERM", EPIPE: "EPIPE",
        ETIMEDOUT: "ETIMEDOUT",
    ]

    /// What an operator does about it; nil where it comes back by itself.
    private var remedy: String? {
        switch self {
        case .unsuitable(_, let defect): defect.remedy
        case .closedByBroker(let code, let text, _): Self.remedy(of: code, text)
        case .unresolved: "check the host's name in RABBITMQ_URL or RABBITMQ_HOST"
        case .system(ECONNREFUSED, _):
            "check that the broker runs, and its host and port in RABBITMQ_URL or RABBITMQ_HOST"
        case .library(AMQP_STATUS_BAD_AMQP_DATA.rawValue, _):
            """
            librabbitmq reads no headers nested more than 100 levels deep, from 0.14 on: where a \
            message has such, the worker rejects it when it comes again
            """
        case .stalled: "see who else consumes: rabbitmqctl list_consumers"
        case .library, .system, .insecure, .unresponsive, .interrupted, .consumerCancelled,
            .protocolViolation, .noCredentials:
            nil
        }
    }

    private static func remedy(of code: UInt16, _ text: String) -> String? {
        switch code {
        case ReplyCode.accessRefused where text.contains("Login was refused"):
            "check the user and the password in RABBITMQ_URL, or RABBITMQ_USERNAME and _PASSWORD"
        case ReplyCode.accessRefused:
            """
            give the user the permissions that GettingStarted.md lists: rabbitmqctl set_permissions
            """
        case ReplyCode.notAllowed:
            "create the virtual host and give the user permissions in it: rabbitmqctl add_vhost, "
                + "set_permissions"
        case ReplyCode.notFound where isAway(text):
            """
            start the node that has the queue, or move the queue to quorum, which survives the \
            loss of one node (RABBITMQ_QUEUE_TYPE)
            """
        case ReplyCode.notFound: "amity migrate declares it, where the user may"
        case ReplyCode.resourceLocked:
            """
            another connection has declared the queue for itself (exclusive): end that, or delete it
            """
        case _: nil
        }
    }

    /// Whether a 404 is about a queue that exists, on a node that does not run.
    static func isAway(_ text: String) -> Bool {
        text.contains("home node") || text.contains("is down or inaccessible")
            || text.contains("timeout")
    }
}
