import Glibc
import Logging

/// Threads that wait for services hold a connection each, or two: more than the 1,024 descriptors
/// that a process gets by default.
package enum DescriptorLimit {
    /// Chosen: above what 1,000 threads need.
    package static let enough: rlim_t = 4096

    /// Raises the soft limit as far as it is needed and the hard one allows.
    package static func raise(logger: Logger) {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < enough else { return }
        limit.rlim_cur = min(enough, limit.rlim_max)
        if setrlimit(resource, &limit) != 0 || limit.rlim_cur < enough {
            logger.warning(
                "worker.few-descriptors",
                metadata: ["limit": .stringConvertible(limit.rlim_cur)]
            )
        }
    }
}
