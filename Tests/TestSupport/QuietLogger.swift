import Logging

/// Logs nothing.
package let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
