import Foundation
import HostResources
import Operations
import Settings

extension HostSnapshot {
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
            return SecretFile(
                name: name,
                mode: status.st_mode & 0o777,
                isReachable: Self.isReachable(path, mode: status.st_mode),
                isOwn: geteuid() == 0 || status.st_uid == geteuid()
            )
        }
    }

    /// Whether the folders above a file let those in whom its mode lets read it.
    static func isReachable(_ path: String, mode: mode_t) -> Bool {
        let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath()
        // Where compose, Swarm and Kubernetes mount secrets, as the host has them or open to all.
        if resolved.path.hasPrefix("/run/secrets/") { return false }
        var open = mode & 0o077
        var folder = resolved.deletingLastPathComponent()
        while open != 0, folder.path != "/" {
            var status = stat()
            guard stat(folder.path, &status) == 0 else { return true }
            // Its group may be another than the file's.
            if status.st_mode & 0o001 == 0 { open &= ~0o007 }
            if status.st_mode & 0o011 == 0 { open &= ~0o070 }
            folder.deleteLastPathComponent()
        }
        return open != 0
    }
}
