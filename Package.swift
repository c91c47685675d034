// swift-tools-version: 6.2
import PackageDescription

// Dependencies point one way, from the command line down to the C libraries. A target sees
// only what its module may touch: what scores cannot open a socket, what talks AMQP cannot see SQL.

let argumentParser = Target.Dependency.product(
    name: "ArgumentParser",
    package: "swift-argument-parser"
)
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metricsTestKit = Target.Dependency.product(name: "MetricsTestKit", package: "swift-metrics")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let serviceLifecycle = Target.Dependency.product(
    name: "ServiceLifecycle",
    package: "swift-service-lifecycle"
)
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")

/// Each module of Sources, with what it imports.
let modules: KeyValuePairs<String, [Target.Dependency]> = [
    "Failpoints": [],
    "SafeText": [],
    "Metering": [coreMetrics],
    "PrometheusMetrics": ["Concurrency", coreMetrics],
    "JSON": ["SafeText"],
    "Digests": ["COpenSSL"],
    "FriendshipScoring": ["JSON"],
    "ConversationAnalysis": ["FriendshipScoring"],
    "Concurrency": ["CLinux", deque],
    "Messaging": [],
    "Consuming": ["Concurrency", "Messaging", deque, histogram, logging],
    "WorkerHealth": ["Concurrency", "Messaging", histogram, logging],
    "HostResources": ["CLinux", "Concurrency", "Metering", "WorkerHealth", coreMetrics, logging],
    "WorkerRuntime": [
        "Concurrency", "Digests", "Failpoints", "HostResources", "Messaging", "Metering",
        "WorkerHealth", coreMetrics, deque, logging,
    ],
    "AMQP": [
        "COpenSSL", "CRabbitMQ", "Concurrency", "Consuming", "Failpoints", "Messaging", "Metering",
        "WorkerHealth", coreMetrics, deque, logging,
    ],
    "Postgres": ["CPostgres", "Concurrency", "Failpoints", "Metering", coreMetrics],
    "HTTPCalling": ["CCurl", "CLinux", "Concurrency"],
    "AnalysisServices": [
        "Concurrency", "FriendshipScoring", "HTTPCalling", "JSON", "Metering", "WorkerHealth",
        coreMetrics, logging,
    ],
    "Settings": [
        "AMQP", "AnalysisServices", "Events", "FriendshipScoring", "HTTPCalling", "JSON",
        "Messaging", "Postgres", "SafeText", "TaskHandlers", "TaskTypes", "Tasks", logging,
    ],
    "Storage": ["Concurrency", "Postgres", "WorkerHealth", logging],
    "QueueAccess": ["AMQP", "Concurrency", "Consuming", "Messaging"],
    "SampleConversations": ["FriendshipScoring", "JSON", "Postgres"],
    "ConversationPublishing": [
        "AMQP", "Concurrency", "JSON", "Messaging", "Postgres", logging,
    ],
    "Conversations": [
        "AnalysisServices", "Concurrency", "Consuming", "ConversationAnalysis", "Events",
        "Failpoints", "FriendshipScoring", "JSON", "Messaging", "Metering", "Postgres", "Storage",
        "WorkerHealth", "WorkerRuntime", logging,
    ],
    "Tasks": ["Digests", "JSON", "Postgres"],
    "TaskTypes": ["JSON", "Postgres", "Tasks"],
    "Locks": ["Postgres"],
    "Schedules": ["Failpoints", "JSON", "Postgres", "TaskTypes", "Tasks"],
    "TaskRunning": [
        "AMQP", "Concurrency", "Consuming", "Failpoints", "HostResources", "JSON", "Messaging",
        "Metering", "Postgres", "Storage", "TaskConsuming", "TaskTypes", "Tasks", "WorkerHealth",
        "WorkerRuntime", coreMetrics, logging,
    ],
    "TaskConsuming": ["AMQP", "Concurrency", "Consuming", "Messaging", "WorkerHealth", logging],
    "LeasedPublishing": ["AMQP", "Concurrency", "Messaging", "Metering", coreMetrics, deque],
    "Events": [
        "AMQP", "Concurrency", "Failpoints", "FriendshipScoring", "JSON", "Messaging", "Metering",
        "Postgres", "Storage", "WorkerHealth", coreMetrics, deque, logging,
    ],
    "TaskScheduling": [
        "AMQP", "Concurrency", "Events", "LeasedPublishing", "Locks", "Messaging", "Metering",
        "Postgres",
        "Schedules", "Storage", "TaskTypes", "Tasks", "WorkerHealth", coreMetrics, logging,
    ],
    "TaskHandlers": [
        "CLinux", "Concurrency", "Digests", "HTTPCalling", "JSON", "Metering", "Postgres",
        "TaskRunning", "TaskTypes", "Tasks", coreMetrics,
    ],
    "Documents": [
        "CLinux", "HTTPCalling", "JSON", "Postgres", "TaskHandlers", "TaskRunning", "Tasks",
    ],
    "ConversationIntake": [
        "AMQP", "Concurrency", "ConversationPublishing", "Conversations", "Failpoints",
        "FriendshipScoring", "JSON", "LeasedPublishing", "Messaging", "Metering", "Postgres",
        "Storage", "WorkerHealth", coreMetrics, logging,
    ],
    "DeadLetters": [
        "AMQP", "Concurrency", "Conversations", "Digests", "JSON", "Messaging", "Postgres",
        "QueueAccess", "Storage", "WorkerRuntime", logging,
    ],
    "Operations": [
        "AMQP", "Concurrency", "Consuming", "ConversationAnalysis", "Conversations", "DeadLetters",
        "Events", "FriendshipScoring", "HTTPCalling", "HostResources", "JSON", "Messaging",
        "Metering", "Postgres", "QueueAccess", "SafeText", "Settings", "Storage", "TaskTypes",
        "Tasks", "WorkerHealth", coreMetrics, logging,
    ],
    "FlowOperations": [
        "AMQP", "Concurrency", "Events", "Messaging", "Operations", "Postgres", "Schedules",
        "TaskTypes", "Tasks", logging,
    ],
    "Doctor": [
        "AMQP", "AnalysisServices", "Concurrency", "Events", "HostResources", "Messaging",
        "Operations", "Postgres", "Schedules", "Settings", "Storage", "TaskTypes", "Tasks",
        "WorkerHealth",
    ],
    "Daemon": [
        "AMQP", "AnalysisServices", "Concurrency", "Consuming", "ConversationPublishing",
        "Conversations", "DeadLetters", "Doctor", "Documents", "FlowOperations", "HTTPCalling",
        "HostResources", "Metering", "Operations", "Postgres", "PrometheusMetrics", "Settings",
        "TaskHandlers", "TaskRunning", "TaskScheduling", "TaskTypes", "Tasks", "WorkerHealth",
        "WorkerRuntime", logging, serviceLifecycle, unixSignals,
    ],
    "HTTPServing": [
        "Concurrency", "Digests", "JSON", hummingbird, logging, nioCore, nioHTTP1, nioPosix,
        serviceLifecycle,
    ],
    "OperatorPages": [
        "Concurrency", "Conversations", "Daemon", "DeadLetters", "Digests", "FlowOperations",
        "HTTPServing", "JSON", "Operations", "PrometheusMetrics", "Settings", "TaskTypes", "Tasks",
        "WorkerHealth", hummingbird, logging, nioCore, serviceLifecycle,
    ],
    "TaskAPI": [
        "Concurrency", "Digests", "Documents", "HTTPCalling", "HTTPServing", "JSON", "Locks",
        "Metering", "Postgres", "Schedules", "TaskTypes", "Tasks", coreMetrics, hummingbird,
        logging, nioCore, serviceLifecycle,
    ],
    "API": [
        "ConversationIntake", "HTTPServing", "PrometheusMetrics", "TaskAPI", "Tasks",
        "WorkerHealth", hummingbird, logging, nioCore,
    ],
    "AmityWorker": [
        "AMQP", "Concurrency", "Consuming", "Daemon", "Digests", "HTTPServing", "HostResources",
        "JSON", "Metering", "Postgres", "PrometheusMetrics", "Settings", "TaskHandlers",
        "TaskRunning", "TaskTypes", "Tasks", "WorkerHealth", coreMetrics, hummingbird, logging,
        nioCore, serviceLifecycle,
    ],
    "Benchmark": [
        "AMQP", "Concurrency", "ConversationPublishing", "Conversations", "FriendshipScoring",
        "HTTPCalling", "JSON", "Postgres", "QueueAccess", "SafeText", "SampleConversations",
        "Settings", "Storage", "TaskScheduling", "Tasks", logging,
    ],
]

/// Each module of Tests that has tests.
let tests: KeyValuePairs<String, [Target.Dependency]> = [
    "SampleConversationsTests": ["SampleConversations"],
    "JSONTests": ["JSON"],
    "SafeTextTests": ["SafeText"],
    "DigestsTests": ["Digests"],
    "FriendshipScoringTests": ["FriendshipScoring"],
    "ConversationAnalysisTests": ["ConversationAnalysis", "FriendshipScoring", "TestSupport"],
    "ConcurrencyTests": ["Concurrency", "TestSupport"],
    "PostgresTests": ["CPostgres", "Postgres"],
    "StorageTests": ["Concurrency", "Postgres", "Storage", "TestSupport", logging],
    "ConsumingTests": ["Consuming", "Messaging", "TestSupport", "WorkerRuntime", deque],
    "WorkerHealthTests": ["Concurrency", "WorkerHealth", logging],
    "HostResourcesTests": ["Concurrency", "HostResources", "TestSupport", "WorkerHealth"],
    "WorkerRuntimeTests": [
        "Concurrency", "HostResources", "Messaging", "PrometheusMetrics", "TestSupport",
        "WorkerHealth", "WorkerRuntime", logging,
    ],
    "HTTPCallingTests": ["HTTPCalling", "TestSupport"],
    "AnalysisServicesTests": [
        "AnalysisServices", "Concurrency", "FriendshipScoring", "TestSupport", "WorkerHealth",
        logging, metricsTestKit,
    ],
    "PrometheusMetricsTests": ["PrometheusMetrics", coreMetrics],
    "HTTPServingTests": [
        "Concurrency", "HTTPServing", "TestSupport", hummingbird, logging, nioCore,
        serviceLifecycle,
    ],
    "OperatorPagesTests": [
        "Concurrency", "Conversations", "DeadLetters", "FlowOperations", "HTTPServing",
        "HostResources", "JSON", "Metering", "Operations", "OperatorPages", "Settings", "TaskTypes",
        "Tasks", "TestSupport", "WorkerHealth", coreMetrics, hummingbird, logging, serviceLifecycle,
    ],
    "AMQPTests": ["AMQP", "CRabbitMQ", "Concurrency", "Consuming", "Messaging"],
    "MeteringTests": ["Metering", "TestSupport"],
    "SettingsTests": [
        "AMQP", "AnalysisServices", "Postgres", "SafeText", "Settings", "TestSupport", logging,
    ],
    "ConversationsTests": ["Conversations", "FriendshipScoring", "Messaging", "Postgres"],
    "TasksTests": ["TaskTypes", "Tasks", "TestSupport"],
    "EventsTests": ["Events"],
    "SchedulesTests": ["Schedules", "TestSupport"],
    "TaskSchedulingTests": ["TaskScheduling", "Tasks"],
    "TaskHandlersTests": [
        "AmityCLI", "Concurrency", "HTTPCalling", "TaskHandlers", "TaskRunning", "Tasks",
        "TestSupport",
    ],
    "DocumentProcessingTests": ["Concurrency", "Documents", "TaskRunning", "Tasks", "TestSupport"],
    "ConversationIntakeTests": ["ConversationIntake", "JSON", "TestSupport"],
    "DeadLettersTests": ["Conversations", "DeadLetters", "Messaging"],
    "OperationsTests": [
        "Consuming", "Operations", "Tasks", "TestSupport", "WorkerHealth", metricsTestKit,
    ],
    "FlowOperationsTests": ["FlowOperations", "Tasks"],
    "DoctorTests": [
        "AMQP", "AnalysisServices", "Daemon", "Doctor", "Messaging", "Settings", "Storage",
    ],
    "DaemonTests": ["Conversations", "Daemon", "FriendshipScoring", "Settings", "TestSupport"],
    "AmityCLITests": ["AmityCLI", "Settings", "Tasks", argumentParser],
    "DocumentsTests": ["TestSupport"],
    "TidyTests": ["TestSupport"],
    "BenchmarkTests": ["Benchmark"],
    "IntegrationTests": [
        "AMQP", "AmityCLI", "CRabbitMQ", "Concurrency", "Consuming", "ConversationIntake",
        "ConversationPublishing", "Conversations", "Digests", "Documents", "Events", "Failpoints",
        "FlowOperations", "FriendshipScoring", "HTTPCalling", "HTTPServing", "HostResources",
        "Locks", "Messaging", "Metering", "Operations", "Postgres", "SampleConversations",
        "Schedules", "Settings", "Storage", "TaskAPI", "TaskHandlers", "TaskRunning",
        "TaskScheduling", "TaskTypes", "Tasks", "TestSupport", "WorkerHealth", "WorkerRuntime",
        logging,
    ],
]

/// What goes with a module besides its code.
let resources: [String: [Resource]] = [
    "OperatorPages": [.embedInCode("Dashboard/Page")],
    "API": [.embedInCode("openapi.json")],
    "FriendshipScoringTests": [.copy("golden")],
    "ConversationAnalysisTests": [.copy("labelled")],
    "TaskHandlersTests": [.copy("scripts")],
    "ConversationIntakeTests": [.copy("golden")],
    "IntegrationTests": [.copy("schemas")],
]

let package = Package(
    name: "amity",
    products: [
        .executable(name: "amity", targets: ["AmityCLI"]),
        .library(name: "AmityWorker", targets: ["AmityWorker"]),
    ],
    dependencies: [
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", exact: "0.2.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(
            url: "https://github.com/hummingbird-project/hummingbird",
            exact: "2.28.1",
            traits: []
        ),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CRabbitMQ",
            pkgConfig: "librabbitmq",
            providers: [.apt(["librabbitmq-dev"])]
        ),
        .systemLibrary(
            name: "CCurl",
            pkgConfig: "libcurl",
            providers: [.apt(["libcurl4-openssl-dev"])]
        ),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .executableTarget(
            name: "AmityCLI",
            dependencies: [
                "AMQP", "API", "Benchmark", "Concurrency", "ConversationIntake",
                "ConversationPublishing", "Conversations", "Daemon", "DeadLetters", "Doctor",
                "Events", "FlowOperations", "HTTPServing", "HostResources", "JSON", "Locks",
                "Messaging", "Metering", "Operations", "OperatorPages", "PrometheusMetrics",
                "SafeText", "SampleConversations", "Schedules", "Settings", "Storage", "TaskAPI",
                "TaskHandlers", "TaskTypes", "Tasks", "WorkerHealth", argumentParser, coreMetrics,
                logging, serviceLifecycle,
            ]
        ),
        // An example of a package with a worker of its own, and one that tests drive, as part of
        // every build. They see what another package would see.
        .executableTarget(
            name: "thumbnail",
            dependencies: ["AmityWorker"],
            path: "deploy/examples/thumbnail/Sources/thumbnail",
            packageAccess: false
        ),
        .executableTarget(
            name: "HandlerProbe",
            dependencies: ["AmityWorker"],
            path: "Tests/HandlerProbe",
            packageAccess: false
        ),
        .target(
            name: "TestSupport",
            dependencies: ["Concurrency", logging, nioCore, nioHTTP1, nioPosix],
            path: "Tests/TestSupport"
        ),
    ]
)

package.targets += modules.map { name, dependencies in
    .target(name: name, dependencies: dependencies, resources: resources[name])
}
package.targets += tests.map { name, dependencies in
    .testTarget(name: name, dependencies: dependencies, resources: resources[name])
}

// The fuzzers need libFuzzer, so they exist only when `deploy/dev/fuzz` says where it is.
if let fuzzer = Context.environment["AMITY_FUZZER"] {
    package.targets += [
        .systemLibrary(name: "CFuzzer", path: "Tests/Fuzz/CFuzzer"),
        .executableTarget(
            name: "amity-fuzz",
            dependencies: [
                "AMQP", "CFuzzer", "CRabbitMQ", "ConversationAnalysis", "ConversationIntake",
                "Conversations", "DeadLetters", "FriendshipScoring", "HTTPServing", "Messaging",
                "Schedules", "Settings", "TaskAPI", "TaskRunning", "TaskTypes", "Tasks",
                "WorkerRuntime",
            ],
            path: "Tests/Fuzz/Targets",
            linkerSettings: [.unsafeFlags([fuzzer]), .linkedLibrary("stdc++")]
        ),
    ]
}

for target in package.targets where target.type != .system {
    target.swiftSettings = [.treatAllWarnings(as: .error)]
}
