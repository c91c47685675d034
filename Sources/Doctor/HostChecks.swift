/// One question, judged on what was seen, and on nothing else.
protocol Check: Sendable {
    /// Names it in reports; never changes.
    var name: String { get }
    /// What there is to say; empty where it could not be seen, which another check says.
    func findings(in seen: DoctorSnapshot) -> [Finding]
}

/// A session, a listener or a file each costs a descriptor; a worker that runs out of them takes no
/// connection back that it has lost.
struct OpenFilesCheck: Check {
    let name = "open-files"

    /// Chosen: two links to the broker, their bells, HTTP's clients, the log and some to spare.
    private static let others = 64

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        var needed = seen.options.sessionsMax + Self.others
        // A thread that waits for both services holds two connections.
        if seen.options.services != nil { needed += 2 * seen.options.threads }
        let limit = seen.host.openFilesMax
        if limit >= needed { return [.ok("\(limit) files may be open", by: .host)] }
        return [
            .error(
                """
                only \(limit) files may be open and \(needed) may be needed: raise the limit \
                (ulimit -n, LimitNOFILE=) or lower DATABASE_SESSIONS_MAX
                """,
                by: .host
            )
        ]
    }
}

struct MemoryCheck: Check {
    let name = "memory"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let limit = seen.host.memoryBytes else { return [] }
        let (prefetch, size) = (seen.options.prefetch, seen.options.messageMaxBytes)
        let worst = prefetch * size
        if worst <= limit { return [.ok("the largest messages fit", by: .host)] }
        return [
            .warning(
                """
                \(prefetch) messages of \(size) bytes, the most a worker holds, are \
                \(worst >> 20) MB, and it may use \(limit >> 20) MB: lower PREFETCH_COUNT or \
                MESSAGE_MAX_BYTES
                """,
                by: .host
            )
        ]
    }
}

/// A misspelt name sets nothing.
struct SettingNamesCheck: Check {
    let name = "setting-names"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        let unknown = seen.host.unknownNames
        if unknown.isEmpty {
            return [.ok("no variable resembles a setting and is none", by: .settings)]
        }
        return unknown.map {
            .warning("\($0.name) is not a setting and is ignored: \($0.likely) is", by: .settings)
        }
    }
}

struct SecretFilesCheck: Check {
    let name = "secret-files"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        let open = seen.host.secretFiles.filter { $0.mode & 0o077 != 0 && $0.isReachable }
        if open.isEmpty { return [.ok("no file with a secret is open to others", by: .host)] }
        return open.map { file in
            .warning(
                """
                others than its owner may use the file of \(file.name) \
                (mode \(String(file.mode, radix: 8))): \
                \(file.isOwn ? "" : "chown it to this user, then ")chmod 600
                """,
                by: .host
            )
        }
    }
}

/// What children say goes to the services behind the analysis.
struct AnalysisEncryptionCheck: Check {
    let name = "analysis-tls"

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        guard let services = seen.options.services else { return [] }
        if services.plainText.isEmpty {
            return [.ok("no link to a service crosses a network in the clear", by: .settings)]
        }
        return services.plainText.map { name in
            .warning(
                "\(name): what children say crosses the network in the clear: use https://",
                by: .settings
            )
        }
    }
}

/// The database's clock decides what is due; ours dates dead letters and logs.
struct ClockCheck: Check {
    let name = "clock"

    /// Seconds; chosen: what a machine without NTP drifts in some days.
    private static let tolerance = 5.0

    func findings(in seen: DoctorSnapshot) -> [Finding] {
        var findings: [Finding] = []
        if let (seconds, uncertainty) = seen.database.session?.skew {
            findings += judge(seconds, uncertainty, of: "database", by: .database)
        }
        if case .seen(let report) = seen.management, let skew = report.skew {
            findings += judge(skew, 1, of: "broker", by: .management)
        }
        return findings
    }

    private func judge(
        _ skew: Double,
        _ uncertainty: Double,
        of whom: String,
        by source: Finding.Source
    ) -> [Finding] {
        if abs(skew) - uncertainty <= Self.tolerance {
            return [.ok("the \(whom)'s clock agrees with ours", by: source)]
        }
        let seconds = Int(abs(skew).rounded())
        return [
            .warning(
                """
                the \(whom)'s clock is \(seconds) s \(skew > 0 ? "ahead of" : "behind") ours: let \
                NTP set both, or ages and times in logs and dead letters are wrong by that much
                """,
                by: source
            )
        ]
    }
}
