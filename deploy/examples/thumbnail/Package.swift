// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "thumbnail",
    // In a repository of your own: .package(url: "https://…/amity", from: "…")
    dependencies: [.package(name: "amity", path: "../../..")],
    targets: [
        .executableTarget(
            name: "thumbnail",
            dependencies: [.product(name: "AmityWorker", package: "amity")]
        )
    ]
)
