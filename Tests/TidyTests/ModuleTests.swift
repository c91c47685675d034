import Foundation
import TestSupport
import Testing

/// The walls between modules, as Package.swift has them: the package manager itself lets a file
/// import whatever else was built.
struct ModuleTests {
    /// Fault: a file imports a module that its target does not depend on.
    @Test func filesImportWhatTheirTargetDependsOnAndNoMore() throws {
        let targets = try Self.targets()
        try #require(targets.count > 20)
        for (name, declared) in targets {
            let files = SourceTree.all.filter {
                $0.isSwift && $0.path.contains("/") && $0.target == name
            }
            if files.isEmpty { continue }
            let imported = Set(files.flatMap(Self.imports)).intersection(targets.keys)
            #expect(imported.subtracting(declared) == [], "\(name) imports them")
            #expect(declared.subtracting(imported) == [], "\(name) does not import them")
        }
    }

    /// Fault: a newcomer opens a module and finds no word about what it is for. A file with the
    /// module's name begins with its charter: what it does, and what it may touch.
    @Test func everyModuleBeginsWithItsCharter() {
        for target in Set(SourceTree.sources.filter(\.isSwift).map(\.target)) {
            let file = SourceTree.sources.first { $0.path == "Sources/\(target)/\(target).swift" }
            #expect(file?.lines.first?.hasPrefix("// ") == true, "\(target)")
        }
    }

    /// Fault: a module grows until it is where everything lands.
    @Test func noModuleHasOver4500LinesOfCode() {
        let byTarget = Dictionary(grouping: SourceTree.sources.filter(\.isSwift), by: \.target)
        for (target, files) in byTarget {
            let lines = files.map(\.lines.count).reduce(0, +)
            #expect(lines <= 4500, "\(target)")
        }
    }

    /// Fault: a program that only publishes has to build the runtime, or the runtime a broker.
    @Test func transportAndRuntimeDoNotKnowEachOther() throws {
        let targets = try Self.targets()
        let (transport, runtime) = (targets["AMQP"], targets["WorkerRuntime"])
        #expect(try #require(transport).contains("WorkerRuntime") == false)
        #expect(try #require(runtime).contains("AMQP") == false)
    }

    /// Fault: a module is given all settings, and nothing says which of them it depends on.
    @Test func onlyModulesThatComposeSeeAllSettings() {
        let composing: Set = ["AmityCLI", "AmityWorker", "Benchmark", "Daemon", "Settings"]
        for file in SourceTree.sources where file.isSwift && !composing.contains(file.target) {
            #expect(!file.names.contains("WorkerSettings"), "\(file.path)")
        }
    }

    /// Fault: two folders of a module use each other, and neither can be read alone.
    @Test func foldersOfAModuleFormNoCircle() {
        let byTarget = Dictionary(grouping: SourceTree.sources.filter(\.isSwift), by: \.target)
        for (target, files) in byTarget {
            let circle = Self.circle(in: Self.uses(files))
            #expect(circle == nil, "\(target)")
        }
    }

    /// Fault: a metric is in the table and never measured, or measured under a name of its own.
    @Test func everyMetricIsMeasuredAndInTheTable() throws {
        let tables = SourceTree.sources.filter { $0.target == "Metering" }.map(\.code)
        let names = tables.flatMap {
            $0.matches(of: /package static let (\w+) = Metric\(/).map { String($0.1) }
        }
        try #require(names.count > 20)
        let outside = SourceTree.sources.filter { $0.isSwift && $0.target != "Metering" }
        let used = outside.reduce(into: Set<Substring>()) { $0.formUnion($1.names) }
        for name in names { #expect(used.contains(name[...]), "\(name)") }
        for file in outside where file.target != "PrometheusMetrics" {
            let isOwn = file.lines.contains { line in
                ["Counter(", "Gauge(", "Timer(", "Recorder("].contains {
                    line.contains("\($0)label:")
                }
            }
            #expect(!isOwn, "\(file.path)")
        }
    }

    /// Fault: documents name packages for PDF that the image, compose or a host's installation does
    /// not know.
    @Test func whatReadsPDFIsNamedAlikeWhereverItIsInstalled() throws {
        func text(_ path: String) throws -> String {
            try String(contentsOf: Document.root.appending(path: path), encoding: .utf8)
                .replacing("\n# ", with: " ")
        }
        let packages = "poppler-utils poppler-data"
        for path in [
            "deploy/Dockerfile", "deploy/compose.yaml", "deploy/install",
            "Sources/AmityCLI/Amity.docc/Tasks.md",
        ] {
            #expect(try text(path).contains(packages), "\(path)")
        }
        #expect(try text("deploy/Dockerfile").contains("ARG EXTRA_PACKAGES=\n"), "none by default")
        #expect(try text("deploy/compose.yaml").contains("args: {EXTRA_PACKAGES: "))
        #expect(try text("Sources/AmityCLI/Amity.docc/Tasks.md").contains("EXTRA_PACKAGES="))
    }

    /// Fault: a target lies in a folder that the image is built without, so that no image is built.
    @Test func theImageIsBuiltWithEveryTarget() throws {
        func lines(_ path: String) throws -> [String] {
            try String(contentsOf: Document.root.appending(path: path), encoding: .utf8)
                .split(separator: "\n").map(String.init)
        }
        let copied = try lines("deploy/Dockerfile").compactMap {
            $0.wholeMatch(of: /COPY ([\w\/]+) \1/).map { String($0.1) }
        }
        let admitted = try lines(".dockerignore").compactMap {
            $0.hasPrefix("!") ? String($0.dropFirst()) : nil
        }
        let package = SourceTree.file("Package.swift").code
        let paths = package.matches(of: /path: "([^"]+)"/).map { String($0.1) }
        try #require(paths.count >= 2 && copied.contains("Sources"))
        for path in paths + ["Sources", "Tests"] {
            for folders in [copied, admitted] {
                #expect(folders.contains { path == $0 || path.hasPrefix("\($0)/") }, "\(path)")
            }
        }
    }

    // MARK: Reading

    /// Each target with those of ours that it depends on.
    private static func targets() throws -> [String: Set<String>] {
        let package = SourceTree.file("Package.swift").code
        var targets: [String: Set<String>] = [:]
        func add(_ name: Substring, _ dependencies: Substring) {
            targets[String(name)] = Set(dependencies.matches(of: /"(\w+)"/).map { String($0.1) })
        }
        // The two tables, and the targets that say more of themselves.
        for entry in package.matches(of: /\n    "(\w+)": \[([^\]\(]*)\],/) {
            add(entry.1, entry.2)
        }
        for target in package.matches(
            of: /arget\(\s+name: "([\w-]+)",\s+dependencies: \[([^\]]*)\]/
        ) { add(target.1, target.2) }
        for part in package.components(separatedBy: ".systemLibrary(").dropFirst() {
            let name = try #require(part.firstMatch(of: /name: "(\w+)"/)?.1)
            targets[String(name)] = []
        }
        return targets
    }

    private static func imports(_ file: SourceFile) -> [String] {
        file.lines.compactMap { line in
            if !line.hasPrefix("import ") && !line.hasPrefix("@testable import ") { return nil }
            return line.split(separator: " ").last.map(String.init)
        }
    }

    /// For each folder, the folders of the same module whose types it names.
    private static func uses(_ files: [SourceFile]) -> [String: Set<String>] {
        var declared: [Substring: Set<String>] = [:]
        for file in files {
            for type in file.types { declared[type, default: []].insert(file.folder) }
        }
        var uses: [String: Set<String>] = [:]
        for file in files {
            let names = file.names
            for (type, folders) in declared where names.contains(type) {
                // Several declare it: of which is meant, a program cannot tell.
                guard folders.count == 1, let folder = folders.first, folder != file.folder else {
                    continue
                }
                uses[file.folder, default: []].insert(folder)
            }
        }
        return uses
    }

    private static func circle(in uses: [String: Set<String>]) -> [String]? {
        func walk(_ path: [String]) -> [String]? {
            for next in (uses[path[path.count - 1]] ?? []).sorted() {
                if let first = path.firstIndex(of: next) { return path[first...] + [next] }
                if let circle = walk(path + [next]) { return circle }
            }
            return nil
        }
        return uses.keys.sorted().lazy.compactMap { walk([$0]) }.first
    }
}
