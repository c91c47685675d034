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
        .target(name: "Failpoints"),
        .target(name: "SafeText"),
        .target(name: "Metering", dependencies: [coreMetrics]),
        .target(name: "PrometheusMetrics", dependencies: ["Concurrency", coreMetrics]),
        .target(name: "JSON", dependencies: ["SafeText"]),
        .target(name: "Digests", dependencies: ["COpenSSL"]),
        .target(name: "FriendshipScoring", dependencies: ["JSON"]),
        .target(name: "ConversationAnalysis", dependencies: ["FriendshipScoring"]),
        .target(name: "Concurrency", dependencies: ["CLinux", deque]),
        .target(name: "Messaging"),
        .target(
            name: "Consuming",
            dependencies: ["Concurrency", "Messaging", deque, histogram, logging]
        ),
        .target(
            name: "WorkerHealth",
            dependencies: ["Concurrency", "Messaging", histogram, logging]
        ),
        .target(
            name: "WorkerRuntime",
            dependencies: [
                "Concurrency", "Digests", "Failpoints", "Messaging", "Metering", "WorkerHealth",
                coreMetrics, deque, logging,
            ]
        ),
        .target(
            name: "AMQP",
            dependencies: [
                "COpenSSL", "CRabbitMQ", "Concurrency", "Consuming", "Failpoints", "Messaging",
                "Metering", "WorkerHealth", coreMetrics, deque, logging,
            ]
        ),
        .target(
            name: "Postgres",
            dependencies: ["CPostgres", "Concurrency", "Failpoints", "Metering", coreMetrics]
        ),
        .target(name: "HTTPCalling", dependencies: ["CCurl", "CLinux", "Concurrency"]),
        .target(
            name: "AnalysisServices",
            dependencies: [
                "Concurrency", "FriendshipScoring", "HTTPCalling", "JSON", "Metering",
                "WorkerHealth", coreMetrics, logging,
            ]
        ),
        .target(
            name: "Settings",
            dependencies: [
                "AMQP", "AnalysisServices", "FriendshipScoring", "JSON", "Messaging", "Postgres",
                "SafeText", "TaskHandlers", "Tasks", logging,
            ]
        ),
        .target(
            name: "Storage",
            dependencies: ["Concurrency", "Postgres", "WorkerHealth", logging]
        ),
        .target(
            name: "QueueAccess",
            dependencies: ["AMQP", "Concurrency", "Consuming", "Messaging"]
        ),
        .target(
            name: "SampleConversations",
            dependencies: ["FriendshipScoring", "JSON", "Postgres"]
        ),
        .target(
            name: "Conversations",
            dependencies: [
                "AMQP", "AnalysisServices", "Concurrency", "Consuming", "ConversationAnalysis",
                "Failpoints", "FriendshipScoring", "JSON", "Messaging", "Metering", "Postgres",
                "Storage", "WorkerHealth", "WorkerRuntime", logging,
            ]
        ),
        .target(name: "Tasks", dependencies: ["Digests", "JSON", "Postgres"]),
        .target(
            name: "TaskRunning",
            dependencies: [
                "AMQP", "Concurrency", "Consuming", "JSON", "Messaging", "Metering", "Postgres",
                "Storage", "TaskConsuming", "Tasks", "WorkerHealth", "WorkerRuntime", coreMetrics,
                logging,
            ]
        ),
        .target(
            name: "TaskConsuming",
            dependencies: [
                "AMQP", "Concurrency", "Consuming", "Messaging", "WorkerHealth", logging,
            ]
        ),
        .target(
            name: "LeasedPublishing",
            dependencies: ["AMQP", "Concurrency", "Messaging", "Metering", coreMetrics]
        ),
        .target(
            name: "TaskScheduling",
            dependencies: [
                "AMQP", "Concurrency", "LeasedPublishing", "Messaging", "Metering", "Postgres",
                "Storage", "Tasks", "WorkerHealth", coreMetrics, logging,
            ]
        ),
        .target(
            name: "TaskHandlers",
            dependencies: [
                "CLinux", "Concurrency", "Digests", "HTTPCalling", "JSON", "TaskRunning", "Tasks",
            ]
        ),
        .target(
            name: "Documents",
            dependencies: [
                "CLinux", "HTTPCalling", "JSON", "Postgres", "TaskHandlers", "TaskRunning", "Tasks",
            ]
        ),
        .target(
            name: "ConversationIntake",
            dependencies: [
                "AMQP", "Concurrency", "Conversations", "Failpoints", "FriendshipScoring", "JSON",
                "LeasedPublishing", "Messaging", "Metering", "Postgres", "Storage", "WorkerHealth",
                coreMetrics, logging,
            ]
        ),
        .target(
            name: "DeadLetters",
            dependencies: [
                "AMQP", "Concurrency", "Conversations", "Digests", "JSON", "Messaging", "Postgres",
                "QueueAccess", "Storage", "WorkerRuntime", logging,
            ]
        ),
        .target(
            name: "Operations",
            dependencies: [
                "AMQP", "Concurrency", "Consuming", "Conversations", "DeadLetters",
                "FriendshipScoring", "HTTPCalling", "JSON", "Messaging", "Metering", "Postgres",
                "QueueAccess", "SafeText", "Settings", "Storage", "Tasks", "WorkerHealth",
                coreMetrics, logging,
            ]
        ),
        .target(
            name: "Doctor",
            dependencies: [
                "AMQP", "AnalysisServices", "Concurrency", "Messaging", "Operations", "Postgres",
                "Settings", "Storage", "Tasks", "WorkerHealth", "WorkerRuntime",
            ]
        ),
        .target(
            name: "Daemon",
            dependencies: [
                "AMQP", "AnalysisServices", "Concurrency", "Consuming", "Conversations",
                "DeadLetters", "Doctor", "Documents", "Metering", "Operations", "Postgres",
                "PrometheusMetrics", "Settings", "TaskHandlers", "TaskRunning", "TaskScheduling",
                "Tasks", "WorkerHealth", "WorkerRuntime", logging, serviceLifecycle, unixSignals,
            ]
        ),
        .target(
            name: "HTTPServing",
            dependencies: [
                "Concurrency", "Digests", "JSON", hummingbird, logging, nioCore, nioHTTP1, nioPosix,
                serviceLifecycle,
            ]
        ),
        .target(
            name: "OperatorPages",
            dependencies: [
                "Concurrency", "Conversations", "Daemon", "DeadLetters", "Digests", "HTTPServing",
                "JSON", "Operations", "PrometheusMetrics", "Settings", "WorkerHealth", hummingbird,
                logging,
            ],
            resources: [.embedInCode("Dashboard/Page")]
        ),
        .target(
            name: "TaskAPI",
            dependencies: [
                "Concurrency", "Digests", "Documents", "HTTPServing", "JSON", "Metering",
                "Postgres", "Tasks", coreMetrics, hummingbird, logging, nioCore, serviceLifecycle,
            ]
        ),
        .target(
            name: "API",
            dependencies: [
                "ConversationIntake", "HTTPServing", "PrometheusMetrics", "TaskAPI", "Tasks",
                "WorkerHealth", hummingbird, logging, nioCore,
            ],
            resources: [.embedInCode("openapi.json")]
        ),
        .target(
            name: "AmityWorker",
            dependencies: [
                "Concurrency", "Consuming", "Daemon", "Digests", "HTTPServing", "JSON", "Metering",
                "Postgres", "PrometheusMetrics", "Settings", "TaskHandlers", "TaskRunning", "Tasks",
                "WorkerHealth", coreMetrics, hummingbird, logging, nioCore, serviceLifecycle,
            ]
        ),
        .target(
            name: "Benchmark",
            dependencies: [
                "AMQP", "Conversations", "FriendshipScoring", "JSON", "Postgres", "QueueAccess",
                "SafeText", "SampleConversations", "Settings", "Storage", "TaskScheduling", "Tasks",
                logging,
            ]
        ),
        .executableTarget(
            name: "AmityCLI",
            dependencies: [
                "AMQP", "API", "Benchmark", "Concurrency", "ConversationIntake", "Conversations",
                "Daemon", "DeadLetters", "Doctor", "HTTPServing", "JSON", "Metering", "Operations",
                "OperatorPages", "PrometheusMetrics", "SafeText", "SampleConversations", "Settings",
                "Storage", "TaskAPI", "TaskHandlers", "Tasks", "WorkerHealth", argumentParser,
                coreMetrics, logging, serviceLifecycle,
            ]
        ),
        // The example of a package with a worker of its own, as part of every build.
        .executableTarget(
            name: "thumbnail",
            dependencies: ["AmityWorker"],
            path: "deploy/examples/thumbnail/Sources/thumbnail"
        ),
        .testTarget(name: "SampleConversationsTests", dependencies: ["SampleConversations"]),
        .testTarget(name: "JSONTests", dependencies: ["JSON"]),
        .testTarget(name: "SafeTextTests", dependencies: ["SafeText"]),
        .testTarget(name: "DigestsTests", dependencies: ["Digests"]),
        .testTarget(
            name: "FriendshipScoringTests",
            dependencies: ["FriendshipScoring"],
            resources: [.copy("golden")]
        ),
        .testTarget(
            name: "ConversationAnalysisTests",
            dependencies: ["ConversationAnalysis", "FriendshipScoring", "TestSupport"],
            resources: [.copy("labelled")]
        ),
        .target(
            name: "TestSupport",
            dependencies: ["Concurrency", logging, nioCore, nioHTTP1, nioPosix],
            path: "Tests/TestSupport"
        ),
        .testTarget(name: "ConcurrencyTests", dependencies: ["Concurrency", "TestSupport"]),
        .testTarget(name: "PostgresTests", dependencies: ["CPostgres", "Postgres"]),
        .testTarget(
            name: "StorageTests",
            dependencies: ["Concurrency", "Postgres", "Storage", "TestSupport", logging]
        ),
        .testTarget(
            name: "ConsumingTests",
            dependencies: ["Consuming", "Messaging", "TestSupport", "WorkerRuntime", deque]
        ),
        .testTarget(
            name: "WorkerHealthTests",
            dependencies: ["Concurrency", "WorkerHealth", logging]
        ),
        .testTarget(
            name: "WorkerRuntimeTests",
            dependencies: [
                "Concurrency", "Messaging", "PrometheusMetrics", "TestSupport", "WorkerHealth",
                "WorkerRuntime", logging,
            ]
        ),
        .testTarget(name: "HTTPCallingTests", dependencies: ["HTTPCalling", "TestSupport"]),
        .testTarget(
            name: "AnalysisServicesTests",
            dependencies: [
                "AnalysisServices", "Concurrency", "FriendshipScoring", "TestSupport",
                "WorkerHealth", logging, metricsTestKit,
            ]
        ),
        .testTarget(
            name: "PrometheusMetricsTests",
            dependencies: ["PrometheusMetrics", coreMetrics]
        ),
        .testTarget(
            name: "HTTPServingTests",
            dependencies: [
                "Concurrency", "HTTPServing", "TestSupport", hummingbird, logging, nioCore,
                serviceLifecycle,
            ]
        ),
        .testTarget(
            name: "OperatorPagesTests",
            dependencies: [
                "Concurrency", "Conversations", "DeadLetters", "HTTPServing", "JSON", "Metering",
                "Operations", "OperatorPages", "Settings", "TestSupport", "WorkerHealth",
                coreMetrics, hummingbird, logging, serviceLifecycle,
            ]
        ),
        .testTarget(
            name: "AMQPTests",
            dependencies: ["AMQP", "CRabbitMQ", "Concurrency", "Consuming", "Messaging"]
        ),
        .testTarget(name: "MeteringTests", dependencies: ["Metering", "TestSupport"]),
        .testTarget(
            name: "SettingsTests",
            dependencies: [
                "AMQP", "AnalysisServices", "Postgres", "SafeText", "Settings", "TestSupport",
                logging,
            ]
        ),
        .testTarget(
            name: "ConversationsTests",
            dependencies: ["Conversations", "FriendshipScoring", "Messaging", "Postgres"]
        ),
        .testTarget(name: "TasksTests", dependencies: ["Tasks", "TestSupport"]),
        .testTarget(name: "TaskSchedulingTests", dependencies: ["TaskScheduling", "Tasks"]),
        .testTarget(
            name: "TaskHandlersTests",
            dependencies: [
                "AmityCLI", "Concurrency", "HTTPCalling", "TaskHandlers", "TaskRunning", "Tasks",
                "TestSupport",
            ],
            resources: [.copy("scripts")]
        ),
        .testTarget(
            name: "DocumentProcessingTests",
            dependencies: ["Concurrency", "Documents", "TaskRunning", "Tasks", "TestSupport"]
        ),
        .testTarget(
            name: "ConversationIntakeTests",
            dependencies: ["ConversationIntake", "JSON", "TestSupport"],
            resources: [.copy("golden")]
        ),
        .testTarget(
            name: "DeadLettersTests",
            dependencies: ["Conversations", "DeadLetters", "Messaging"]
        ),
        .testTarget(
            name: "OperationsTests",
            dependencies: [
                "Consuming", "Operations", "Tasks", "TestSupport", "WorkerHealth", metricsTestKit,
            ]
        ),
        .testTarget(
            name: "DoctorTests",
            dependencies: [
                "AMQP", "AnalysisServices", "Daemon", "Doctor", "Messaging", "Settings", "Storage",
            ]
        ),
        .testTarget(
            name: "DaemonTests",
            dependencies: [
                "Conversations", "Daemon", "FriendshipScoring", "Settings", "TestSupport",
            ]
        ),
        .testTarget(name: "AmityCLITests", dependencies: ["AmityCLI", "Settings", argumentParser]),
        .testTarget(name: "DocumentsTests", dependencies: ["TestSupport"]),
        .testTarget(name: "TidyTests", dependencies: ["TestSupport"]),
        .testTarget(name: "BenchmarkTests", dependencies: ["Benchmark"]),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "AMQP", "AmityCLI", "CRabbitMQ", "Concurrency", "Consuming", "ConversationIntake",
                "Conversations", "Digests", "Documents", "Failpoints", "FriendshipScoring",
                "HTTPServing", "Messaging", "Metering", "Operations", "Postgres",
                "SampleConversations", "Settings", "Storage", "TaskAPI", "TaskHandlers",
                "TaskRunning", "TaskScheduling", "Tasks", "TestSupport", "WorkerHealth",
                "WorkerRuntime", logging,
            ],
            resources: [.copy("schemas")]
        ),
    ]
)

// The fuzzers need libFuzzer, so they exist only when `deploy/dev/fuzz` says where it is.
if let fuzzer = Context.environment["AMITY_FUZZER"] {
    package.targets += [
        .systemLibrary(name: "CFuzzer", path: "Tests/Fuzz/CFuzzer"),
        .executableTarget(
            name: "amity-fuzz",
            dependencies: [
                "AMQP", "CFuzzer", "CRabbitMQ", "ConversationAnalysis", "ConversationIntake",
                "Conversations", "DeadLetters", "FriendshipScoring", "Messaging", "Settings",
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
