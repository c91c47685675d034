import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

/// The faults, each with the proof that it happened. Each fault repairs what it has broken.
enum SoakFault: String, CaseIterable {
    case workerKilled, workerStopped, workerPaused, consumptionSwitched
    case connectionsClosed, brokerStopped, brokerKilled, brokerFrozen, queueDeleted, memoryAlarm
    case copyRefused
    case brokerLinkCut, brokerLinkStalled
    case databaseStopped, databaseKilled, sessionsKilled, databaseReadOnly, tableAway, rowLocked
    case databaseLinkCut, databaseLinkStalled, rowsRefused
    case passwordsChanged

    func happen(to soak: Soak) throws {
        let (scene, worker) = (soak.scene, try soak.consumer())
        switch self {
        case .workerKilled:
            worker.signal(SIGKILL)
            _ = try worker.waitForExit()
        case .workerStopped:
            worker.signal(SIGTERM)
            let end = try worker.waitForExit()
            // The killer may have come first.
            #expect(end == 0 || end == SIGKILL)
        case .workerPaused: try pause(worker, soak)
        case .consumptionSwitched:
            let switches = worker.events("intake.switched").count
            worker.signal(SIGUSR1)
            try soak.eventually("intake is off") {
                worker.events("intake.switched").count > switches || !worker.isRunning
            }
            worker.signal(SIGUSR2)
        case .connectionsClosed:
            try soak.proving("consumer.connection-lost") {
                try Servers.rabbitmqctl("close_all_connections", "soak")
            }
        case .brokerStopped, .brokerKilled:
            try soak.proving("consumer.connection-lost") {
                try Servers.without(.rabbitmq, self == .brokerStopped ? .stop : .kill) {
                    soak.wait()
                }
            }
        case .brokerFrozen: try freezeBroker(soak)
        case .copyRefused: try refuseACopy(soak)
        case .queueDeleted:
            try soak.proving("consumer.connection-lost") {
                try Servers.rabbitmqctl("delete_queue", scene.name)
            }
        case .memoryAlarm: try raiseAlarm(soak)
        case .brokerLinkCut:
            let cuts = soak.brokerLink.cuts
            soak.brokerLink.cut(afterBytesToClient: 1 + soak.pick(2000))
            try soak.eventually("a link was cut") { soak.brokerLink.cuts > cuts }
        case .brokerLinkStalled: try stall(soak.brokerLink, soak)
        case .databaseStopped, .databaseKilled:
            let ending = self == .databaseStopped ? Servers.Ending.stop : .kill
            try Servers.without(.postgres, ending) { soak.wait() }
            try scene.reconnect()
        case .sessionsKilled:
            try soak.eventually("sessions were killed") { try scene.killSessions() > 0 }
        case .databaseReadOnly:
            try soak.waitForTheEndOfOutages()
            try soak.proving("database.unavailable") {
                try scene.alterRole("SET default_transaction_read_only = on")
                _ = try scene.killSessions()
            }
            try scene.alterRole("RESET default_transaction_read_only")
        case .tableAway:
            try soak.waitForTheEndOfOutages()
            try soak.proving("database.unavailable") {
                try scene.sql("ALTER TABLE IF EXISTS friendship_status RENAME TO away")
            }
            try scene.sql("ALTER TABLE IF EXISTS away RENAME TO friendship_status")
        case .rowLocked:
            // In the workers' order: a deadlock could choose this one.
            try scene.lock("SELECT 1 FROM friendship_status ORDER BY user_id FOR UPDATE")
            try soak.eventually("a worker waits") { try scene.isWorkerWaiting() }
            soak.wait()
            try scene.sql("COMMIT")
        case .databaseLinkCut:
            let cuts = soak.databaseLink.cuts
            soak.databaseLink.cut(afterBytesToClient: 1 + soak.pick(2000))
            try soak.eventually("a link was cut") { soak.databaseLink.cuts > cuts }
        case .databaseLinkStalled: try stall(soak.databaseLink, soak)
        case .rowsRefused: try refuseRows(soak)
        case .passwordsChanged:
            let password = "soak-\(soak.pick(1_000_000))"
            try soak.passwords.change(to: password)
            try soak.proving("consumer.connection-lost") {
                try Servers.rabbitmqctl("close_all_connections", "soak")
                _ = try scene.killSessions()
            }
            soak.wait()
            try soak.passwords.write(password)
        }
    }

    /// For a while one user's row cannot be written, because of an error whose code stands for
    /// something else. No other user's row may be affected.
    private func refuseRows(_ soak: Soak) throws {
        let states = ["42P01", "53100", "57P01", "P0001"]
        try soak.scene.sql(
            """
            CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF NEW.user_id = '\(Soak.refusedUser)' THEN
                    RAISE EXCEPTION 'refused' USING ERRCODE = '\(states[soak.pick(states.count)])';
                END IF;
                RETURN NEW;
            END $$
            """
        )
        try soak.proving("message.retry-scheduled") {
            try soak.scene.sql(
                """
                CREATE OR REPLACE TRIGGER refuse BEFORE UPDATE ON friendship_status
                FOR EACH ROW EXECUTE FUNCTION refuse()
                """
            )
        }
        try soak.scene.sql("DROP TRIGGER refuse ON friendship_status")
    }

    /// For longer than the broker waits, with whatever it has in hand. A busy broker may overlook
    /// it the first time.
    private func pause(_ worker: RunningWorker, _ soak: Soak) throws {
        let losses = worker.events("consumer.connection-lost").count
        var patience = ContinuousClock.now
        try soak.eventually("it has lost its session") {
            if ContinuousClock.now >= patience {
                worker.signal(SIGSTOP)
                Thread.sleep(forTimeInterval: 4 * Double(Soak.heartbeatSeconds))
                worker.signal(SIGCONT)
                patience = .now + .seconds(5)
            }
            return worker.events("consumer.connection-lost").count > losses || !worker.isRunning
        }
    }

    /// For more than two heartbeats: it keeps every connection, and answers nothing on them.
    private func freezeBroker(_ soak: Soak) throws {
        try soak.proving("consumer.connection-lost") {
            let process = try Servers.rabbitmqProcess()
            kill(process, SIGSTOP)
            defer { kill(process, SIGCONT) }
            Thread.sleep(forTimeInterval: 3.5 * Double(Soak.heartbeatSeconds))
        }
    }

    /// A message that came in while the broker took its size and cannot be copied any more, in the
    /// middle of others. It waits in a queue of the test's until the limit is set.
    private func refuseACopy(_ soak: Soak) throws {
        try soak.putAside(bytes: 5000)
        try Servers.setLargestMessage(1000)
        defer {
            do {
                try Servers.setLargestMessage(134_217_728)
            } catch { Issue.record(error, "the limit stays") }
        }
        // A channel keeps the limit that it began with.
        try Servers.rabbitmqctl("close_all_connections", "soak")
        try soak.proving("publisher.message-not-taken") { try soak.putAside(bytes: 0) }
    }

    private func raiseAlarm(_ soak: Soak) throws {
        try Servers.rabbitmqctl("set_vm_memory_high_watermark", "0")
        defer {
            do {
                try Servers.rabbitmqctl("set_vm_memory_high_watermark", "0.4")
            } catch {
                Issue.record(error, "the alarm stays")
            }
        }
        let alarms = try Servers.rabbitmqctl("eval", "rabbit_alarm:get_alarms().")
        #expect(alarms.contains("memory"))
        soak.wait()
    }

    private func stall(_ link: Proxy, _ soak: Soak) throws {
        link.stall(Bool.random(using: &soak.random) ? [.toServer] : [.toServer, .toClient])
        defer { link.endFaults() }
        try soak.eventually("something is held back") { link.held > 0 }
        soak.wait()
    }
}
