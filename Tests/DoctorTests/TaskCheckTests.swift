import Testing

@testable import Doctor
@testable import Storage

/// What the checks make of what the database says of tasks.
struct TaskCheckTests {
    /// A worker of two threads that runs all there is, and a leader.
    private static var healthy: TaskSnapshot {
        var tasks = TaskSnapshot()
        let pools = ["default", "gpu"]
        tasks.workers["w1"] = .init(name: "a:1", pools: pools, threads: 2, types: ["resize"])
        tasks.hasLeader = true
        tasks.types = [
            .init(name: "resize", pool: "gpu", isService: false),
            .init(name: "post", pool: "default", isService: true),
        ]
        tasks.queued = ["default": 3]
        tasks.hasUnfinished = true
        return tasks
    }

    private func complaints(_ change: (inout TaskSnapshot) -> Void) -> [String] {
        var tasks = Self.healthy
        change(&tasks)
        return DoctorTests().complaints { $0.database.session?.tasks = tasks }
    }

    @Test func whatIsRunAsItShouldBeHasNoFinding() {
        #expect(complaints { _ in } == [])
    }

    /// Fault: tasks of a pool that was renamed wait for ever, and all workers are well.
    @Test func aPoolThatNoWorkerTakesIsNamed() {
        let found = ["error task-workers"]
        #expect(complaints { $0.queued["other"] = 1 } == found)
        #expect(complaints { $0.queued["other"] = 0 } == [])
        #expect(complaints { $0.workers = [:] } == found)
    }

    /// Fault: a type was applied before the workers that run it were built.
    @Test func aTypeThatNoWorkerCanRunIsNamed() {
        let found = ["warning task-workers"]
        #expect(complaints { $0.workers["w1"]?.types = [] } == found)
        #expect(complaints { $0.types[0].pool = "default" } == [])
        #expect(complaints { $0.types[0].name = "another" } == found)
        // An older worker does not say; and where no worker takes the pool, that is said of what
        // waits there.
        #expect(complaints { $0.workers["w1"]?.types = nil } == [])
        #expect(complaints { $0.workers["w1"]?.pools = ["default"] } == [])
    }

    /// Fault: two kinds of workers take one pool, its tasks take seconds, and all is well.
    @Test func aPoolWhoseWorkersCannotAllRunItsTypesIsNamed() {
        func beside(_ types: [String]?, in pool: String) -> [String] {
            complaints {
                $0.workers["w2"] = .init(name: "b:2", pools: [pool], threads: 2, types: types)
            }
        }
        #expect(beside(["other"], in: "gpu") == ["warning task-workers"])
        #expect(beside(["other", "resize"], in: "gpu") == [])
        #expect(beside([], in: "default") == [], "every worker calls services")
        #expect(beside(nil, in: "gpu") == [])
    }

    /// Fault: a worker of a package's own runs one task at a time, and nothing says why.
    @Test func aWorkerThatIsShortOfMemoryIsNamed() {
        func short(_ resources: [String], _ name: String) -> [String] {
            complaints {
                $0.workers["w1"]?.name = name
                $0.workers["w1"]?.resources = .init(shortOf: resources)
            }
        }
        #expect(short(["memory", "disk temporary"], "c:3") == ["warning task-resources"])
        #expect(short([], "c:3") == [])
        #expect(short(["memory"], "a:1") == [], "the registry says it")
    }

    @Test func schedulingThatHasStoppedIsNamed() {
        #expect(complaints { $0.hasLeader = false } == ["error task-scheduler"])
        #expect(complaints { $0.events = .init(count: 5, age: 3600) } == ["warning events"])
        #expect(complaints { $0.events = .init(count: 5, age: 1) } == [])
        #expect(
            complaints {
                $0.hasLeader = false
                $0.hasUnfinished = false
            } == []
        )
    }

    /// Fault: a night's work does not come, and all that is looked at is well.
    @Test func aScheduleThatMakesNoTasksIsNamed() {
        func complaints(
            _ type: String = "resize",
            _ change: (inout ScheduleSnapshot) -> Void
        ) -> [String] {
            var schedule = ScheduleSnapshot(
                name: "nightly",
                cron: "0 2 * * *",
                timeZone: "UTC",
                type: type,
                late: -60
            )
            change(&schedule)
            return self.complaints { $0.schedules = [schedule] }
        }
        let (error, warning) = (["error schedules"], ["warning schedules"])
        #expect(complaints { _ in } == [])
        #expect(complaints { $0.cron = "0 0 31 2 *" } == error)
        #expect(complaints { $0.timeZone = "Mars/Base" } == error)
        #expect(complaints { $0.late = 600 } == warning)
        #expect(complaints("post") { _ in } == [])
        #expect(complaints("gone") { _ in } == warning)
        #expect(complaints("test") { _ in } == warning)
        #expect(
            complaints("gone") {
                $0.isPaused = true
                $0.cron = "x"
                $0.late = 600
            } == []
        )
    }

    /// Fault: EVENTS is set, a restore has lost the triggers, and other programs hear nothing.
    @Test func eventsThatNothingWritesAreNamed() {
        func complaints(_ events: String, _ areThere: Bool?) -> [String] {
            var tasks = Self.healthy
            tasks.hasEventTriggers = areThere
            return DoctorTests().complaints(["EVENTS": events]) {
                $0.database.session?.tasks = tasks
            }
        }
        #expect(complaints("tasks", false) == ["error events"])
        #expect(complaints("tasks", true) == [] && complaints("tasks", nil) == [])
        #expect(complaints("scores", false) == [])
    }

    @Test func aTypeThatFillsAllThreadsIsNamed() {
        let found = ["warning task-threads"]
        func runs(_ type: String, _ count: Int, of worker: String = "w1") -> TaskSnapshot.LongRuns {
            .init(worker: worker, type: type, count: count)
        }
        #expect(complaints { $0.longRuns = [runs("a", 2)] } == found)
        #expect(complaints { $0.longRuns = [runs("a", 1), runs("b", 1)] } == [])
        #expect(complaints { $0.longRuns = [runs("a", 9, of: "another")] } == [])
        // A pool that has all of one worker's threads, and a part of another's.
        #expect(
            complaints {
                $0.workers["w2"] = .init(name: "b:2", pools: ["gpu"], threads: 4, types: nil)
                $0.longRuns = [runs("a", 2)]
            } == found
        )
        #expect(
            complaints {
                $0.workers["w2"] = .init(name: "b:2", pools: ["gpu", "default"], threads: 1)
                $0.longRuns = [runs("a", 2)]
            } == []
        )
    }

    @Test func handlersThatDoNotReturnAreNamed() {
        func worker(_ lost: Int?) -> TaskSnapshot.Worker {
            .init(name: "b:2", pools: ["gpu"], threads: 4, lost: lost)
        }
        #expect(complaints { $0.workers["w2"] = worker(1) } == ["warning task-hangs"])
        #expect(complaints { $0.workers["w2"] = worker(0) } == [])
        #expect(complaints { $0.workers["w2"] = worker(nil) } == [])
    }

    /// Fault: a worker is told to take tasks, and its database knows none.
    @Test func tablesAndGrantsOfTasksAreMissedWherePoolsAreNamed() {
        func complaints(_ change: (inout DoctorSnapshot) -> Void) -> [String] {
            DoctorTests().complaints(["TASK_QUEUES": "default"], change)
        }
        #expect(complaints { _ in } == [])
        for table in Schema.tablesOfTasks.map(\.name) {
            let without = complaints { $0.database.session?.tables?[table] = nil }
            #expect(without == ["error schema"], "\(table)")
            let forbidden = complaints { seen in
                seen.database.session?.tables?[table]?.lacking = ["SELECT"]
            }
            #expect(forbidden == ["error grants"], "\(table)")
        }
        let withoutIndex = complaints { seen in
            seen.database.session?.indexes?.removeAll { $0.name == "amity_tasks_due_idx" }
        }
        #expect(withoutIndex == ["error schema"])
    }
}
