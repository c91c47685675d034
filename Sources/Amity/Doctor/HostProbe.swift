import Foundation
import WorkerRuntime

extension HostSight {
    /// Looks at this process' limits and at the files that hold secrets.
    ///
    /// - Parameter lookup: the text of a variable, nil when it is not set.
    init(lookup: (String) -> String?) {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        // A worker raises it by itself.
        openFilesMax = Int(
            clamping: max(limit.rlim_cur, min(DescriptorLimit.enough, limit.rlim_max))
        )
        memoryBytes = MachineLoad().memoryLimit()
        replicas = lookup("WORKER_REPLICAS").flatMap { Int($0) }
        var paths = Setting.all.filter(\.isSecret).compactMap { setting in
            lookup("\(setting.name)_FILE").map { (name: "\(setting.name)_FILE", path: $0) }
        }
        if let key = lookup("RABBITMQ_TLS_KEY") { paths.append(("RABBITMQ_TLS_KEY", key)) }
        paths.append((".env", ".env"))
        secretFiles = paths.compactMap { name, path in
            var status = stat()
            // One that cannot be read has been complained of with the settings.
            guard !path.isEmpty, stat(path, &status) == 0 else { return nil }
            return SecretFile(name: name, mode: status.st_mode & 0o777)
        }
    }
}
