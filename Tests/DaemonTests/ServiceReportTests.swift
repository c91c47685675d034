import Testing

@testable import Daemon

struct ServiceReportTests {
    /// Fault: a start that waits for its broker is ended by the unit's start timeout, over and
    /// over; and one that hangs is not.
    @Test func aStartIsExtendedWhileTheWorkerLives() {
        var report = ServiceReport(watchdog: .seconds(20))
        #expect(
            report.take(isAlive: true) == [
                .extendTimeout(.seconds(30)), .status("not ready: not consuming from the broker"),
                .watchdog,
            ]
        )
        #expect(report.take(isAlive: true) == [.extendTimeout(.seconds(30)), .watchdog])
        #expect(report.take(isAlive: false).isEmpty)
    }

    @Test func itIsReadyOnceAndItsStatusFollowsEveryChange() {
        var report = ServiceReport(watchdog: nil)
        _ = report.take(isAlive: true)
        report.changed(to: [])
        #expect(report.take(isAlive: true) == [.ready, .status("ready")])
        report.changed(to: [.stalled, .databaseAway])
        let reasons = "messages are ready and none is delivered, the database is away"
        #expect(report.take(isAlive: true) == [.status("not ready: \(reasons)")])
        report.changed(to: [])
        #expect(report.take(isAlive: true) == [.status("ready")])
        #expect(report.take(isAlive: true).isEmpty)
    }

    /// Fault: readiness that lasts less long than it takes to tell leaves the unit starting for
    /// ever.
    @Test func aReadinessThatIsOverAlreadyIsTold() {
        var report = ServiceReport(watchdog: nil)
        report.changed(to: [])
        report.changed(to: [.databaseAway])
        #expect(
            report.take(isAlive: true) == [.ready, .status("not ready: the database is away")]
        )
    }

    /// Fault: a drain longer than TimeoutStopSec is killed in the middle, a hung one is extended on
    /// and on.
    @Test func aStopIsToldOnceWithTheTimeItMayTake() {
        var report = ServiceReport(watchdog: .seconds(20))
        report.changed(to: [])
        _ = report.take(isAlive: true)
        report.changed(to: [.draining])
        report.stopping(within: .seconds(50))
        #expect(
            report.take(isAlive: true) == [
                .stopping, .extendTimeout(.seconds(50)), .status("not ready: draining"), .watchdog,
            ]
        )
        #expect(report.take(isAlive: true) == [.watchdog])
    }

    /// Fault: a manager that was reloading when it was told that the worker is ready never learns
    /// it.
    @Test func whatWasLostIsToldAgain() {
        var report = ServiceReport(watchdog: nil)
        report.changed(to: [])
        let told = report.take(isAlive: true)
        report.lost()
        #expect(report.take(isAlive: true) == told)
    }

    @Test func linesAreThoseOfTheProtocol() {
        let lines: [(ServiceNotice, String)] = [
            (.ready, "READY=1"), (.status("a b"), "STATUS=a b"), (.stopping, "STOPPING=1"),
            (.extendTimeout(.milliseconds(1500)), "EXTEND_TIMEOUT_USEC=1500000"),
            (.watchdog, "WATCHDOG=1"),
        ]
        for (notice, line) in lines { #expect(notice.line == line) }
    }

    /// Fault: a worker that inherited the variables of the service that started it feeds that one's
    /// watchdog, or believes that it has one.
    @Test(
        arguments: [
            (["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"], Duration.seconds(3)),
            (["WATCHDOG_USEC": "3000000"], .seconds(3)),
            (["WATCHDOG_USEC": "7200000000"], .seconds(7200)),
            (["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "8"], nil),
            (["WATCHDOG_USEC": "0"], nil), (["WATCHDOG_USEC": "-1"], nil),
            (["WATCHDOG_USEC": "x"], nil), ([:], nil),
        ] as [([String: String], Duration?)]
    )
    func theWatchdogIsOursOrAbsent(variables: [String: String], limit: Duration?) {
        #expect(ServiceManager.watchdog(variables, process: 7) == limit)
    }

    /// Fault: a wrong value of NOTIFY_SOCKET overruns the address.
    @Test(arguments: ["", "relative", "@", "/" + String(repeating: "x", count: 108)])
    func aNameThatIsNoSocketIsRefused(name: String) {
        #expect(throws: NotifySocket.Failure.self) { _ = try NotifySocket(name: name) }
    }
}
