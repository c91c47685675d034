import Foundation
import JSON

/// Whom to tell that a task or a batch has ended. Its URL may be confidential: it is in no log.
package struct TaskCallback: Sendable, Equatable, Codable {
    package var url: String
    /// The name of the environment variable with the key that requests are signed by; nil: they
    /// are not signed.
    package var secret: String?
    /// Host and port: what is called there shares a limit.
    package var host: String

    package init(url: String, secret: String?, host: String) {
        (self.url, self.secret, self.host) = (url, secret, host)
    }

    /// Of the tasks that tell of ends. They are made by Amity alone.
    package static let type = "amity.callback"
    /// Of a URL, in characters.
    package static let longestURL = 2_000
    /// Apart from those of types' services: else a client could have a request signed that such a
    /// service takes for a task.
    package static let secretPrefix = "TASK_SECRET_CALLBACK"

    package static func isSecretName(_ name: String) -> Bool {
        name.hasPrefix(secretPrefix) && name.utf8.count <= 100
            && name.utf8.allSatisfy {
                (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || $0 == UInt8(ascii: "_")
            }
    }

    /// Under way to one host at a time.
    package static let mostAtOnce = 32
    /// Seconds between one try and the next: a day in all.
    package static let pauses = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800]
        .map(Double.init)

    var json: String { JSONEncoder.stored.certainText(self) }
}
