// Doctor: what a worker would miss, before it runs. Probes fill in a `DoctorSnapshot`; checks are
// functions of it.
//
// It changes nothing on any server.

import AMQP
import AnalysisServices
import Concurrency
import Operations
import Settings

/// Examines everything a worker depends on, and changes nothing.
package struct Doctor: Sendable {
    /// In the order of the report, which puts the worst first. To add one, write its type and name
    /// it here.
    static let checks: [any Check] = [
        SettingNamesCheck(), SecretFilesCheck(), OpenFilesCheck(), MemoryCheck(),
        BrokerReachableCheck(), BrokerVersionCheck(), BrokerEncryptionCheck(),
        BrokerAlarmCheck(), ClusterCheck(), BrokerPermissionsCheck(), TopologyCheck(),
        DelayQueuesCheck(), QueueKindCheck(), QueueLimitsCheck(), DeliveryLimitCheck(),
        ConsumerTimeoutCheck(), ConsumersCheck(), WorkersCheck(), AlertsCheck(), DeadLettersCheck(),
        TaskWorkersCheck(), TaskResourcesCheck(), TaskSchedulerCheck(), TaskThreadsCheck(),
        TaskHangsCheck(),
        SchedulesCheck(), EventsCheck(),
        ManagementCheck(), ManagementEncryptionCheck(),
        DatabaseReachableCheck(), DatabaseVersionCheck(), DatabaseEncryptionCheck(),
        DatabaseWritableCheck(), PoolerCheck(), SessionSettingsCheck(), ConnectionsCheck(),
        TablesCheck(), GrantsCheck(), RowSecurityCheck(), WritesCheck(), KeysCheck(),
        RowsCheck(), IndexesCheck(), UnseenCheck(),
        AnalysisEncryptionCheck(), AnalysisServicesCheck(), ClockCheck(), RivalsCheck(),
    ]

    private let options: DoctorOptions
    private let host: HostSnapshot

    package init(options: DoctorOptions, variables: Variables) {
        self.options = options
        var host = HostSnapshot(lookup: variables.text)
        host.unknownNames = variables.unknownNames
        self.host = host
    }

    /// Looks at the broker and the database side by side, for seconds for each address at most.
    package func examine() async -> Diagnosis {
        let (options, endpoint) = (options, options.endpoint.named("amity doctor"))
        async let broker = onThread(named: "amity-broker", stackBytes: Publisher.stackBytes) {
            BrokerSnapshot(of: endpoint, expecting: options.topology)
        }
        async let database = onThread(named: "amity-database", stackBytes: Publisher.stackBytes) {
            DatabaseProbe(
                target: options.database,
                queue: options.topology.names.main,
                sessionsMax: options.sessionsMax,
                takesTasks: options.takesTasks
            ).look()
        }
        async let management = lookAtManagement()
        async let services = lookAtServices()
        return Self.judge(
            DoctorSnapshot(
                options: options,
                host: host,
                broker: await broker,
                management: await management,
                database: await database,
                services: await services
            )
        )
    }

    /// Settings that cannot be used: nothing else can be looked at.
    package static func refuse(_ error: SettingsError) -> Diagnosis {
        Diagnosis(
            findings: error.mistakes.map {
                .init(check: "settings", finding: .error($0, by: .settings))
            }
        )
    }

    static func judge(_ snapshot: DoctorSnapshot) -> Diagnosis {
        Diagnosis(
            findings: [.init(check: "settings", finding: .ok("all are usable", by: .settings))]
                + checks.flatMap { check in
                    check.findings(in: snapshot).map { .init(check: check.name, finding: $0) }
                }
        )
    }

    private func lookAtManagement() async -> ManagementSnapshot {
        guard let management = options.management else { return .notAsked }
        return await onThread(named: "amity-manage", stackBytes: Publisher.stackBytes) {
            [options] in
            let api = ManagementAPI(
                management,
                virtualHost: options.endpoint.virtualHost,
                patience: .seconds(5)
            )
            do throws(ManagementError) {
                return .seen(
                    try ManagementReport(
                        from: api,
                        on: options.topology,
                        taskQueues: options.taskQueues
                    )
                )
            } catch {
                return .failed(error)
            }
        }
    }

    private func lookAtServices() async -> [ServiceProbe.Snapshot] {
        guard let services = options.services else { return [] }
        return await ServiceProbe(chat: services.chat, memory: services.memory).look()
    }
}
