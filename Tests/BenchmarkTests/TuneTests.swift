import Foundation
import FoundationXML
import Testing

@testable import Benchmark

struct TuneTests {
    private func point(_ replicas: Int, _ threads: Int, _ batch: Int) -> Configuration {
        Configuration(replicas: replicas, threads: threads, batch: batch)
    }

    @Test func theSmallestThatIsNearlyTheBestIsChosen() {
        let rates = [
            point(1, 1, 32): 9499.0, point(1, 2, 32): 9500, point(1, 2, 128): 9900,
            point(1, 4, 32): 10_000, point(2, 1, 32): 9990,
        ]
        #expect(choice(among: rates) == point(1, 2, 32))
        #expect(choice(among: [:]) == nil)
    }

    /// Fewer replicas come before fewer threads, and those before smaller batches.
    @Test func replicasCostMostAndBatchesLeast() {
        let all = Configuration.all(replicas: [2, 1], threads: [4, 1, 4], batches: [32, 1])
        #expect(
            all == [
                point(1, 1, 1), point(1, 1, 32), point(1, 4, 1), point(1, 4, 32),
                point(2, 1, 1), point(2, 1, 32), point(2, 4, 1), point(2, 4, 32),
            ]
        )
    }

    @Test func workersThatFindOutByThemselvesAreTriedOnceForEachBatch() {
        let all = Configuration.all(
            replicas: [1],
            threads: [2, 64],
            batches: [1, 32],
            isAutomaticToo: true
        )
        #expect(
            all.map(\.name) == [
                "N = 2, B = 1", "N = 2, B = 32", "N = 64, B = 1", "N = auto, B = 1",
                "N = 64, B = 32",
                "N = auto, B = 32",
            ]
        )
    }

    @Test func prefetchIsTwiceWhatThreadsCanHaveInHandOrFiveAndAHalfBatches() {
        #expect(point(3, 10, 1).prefetch == 192)
        #expect(point(3, 100, 1).prefetch == 200)
        #expect(point(3, 4, 32).prefetch == 256)
        #expect(point(3, 10, 128).prefetch == 704)
        #expect(point(1, 1000, 1000).prefetch == 3000)
        #expect(point(3, 10, 2).prefetch == 80)
        #expect(point(3, 1, 32).prefetch == 4 * 32)
        #expect(point(3, 2, 32).prefetch == 256)
    }

    @Test(arguments: ["", "1,", "0", "1,x", "1001", "1, 2"])
    func aListTakesOnlyCounts(text: String) {
        #expect(CountList(text) == nil)
    }

    @Test func aListKeepsItsOrder() {
        #expect(CountList("32,1,1000")?.values == [32, 1, 1000])
    }

    private func tune(analyserSeconds: Double?) -> Tune {
        Tune(
            conversations: 5000,
            users: 10,
            repeats: 2,
            analyserSeconds: analyserSeconds,
            secondsPerRun: 6,
            configurations: [point(1, 10, 1), point(2, 10, 1), point(1, 100, 1)]
        )
    }

    /// Fault: threads that wait side by side finish together, so that a part of a wave would tell a
    /// rate that depends on where it was cut.
    @Test func waitingWorkIsMeasuredInWholeWaves() {
        #expect(tune(analyserSeconds: 5).work(for: point(2, 10, 1)) == 60)
        #expect(tune(analyserSeconds: 0.5).work(for: point(1, 10, 1)) == 60)
        #expect(tune(analyserSeconds: 0.001).work(for: point(1, 10, 1)) == 5000)
        #expect(tune(analyserSeconds: nil).work(for: point(1, 10, 1)) == 5000)
    }

    /// Six runs: of six seconds, or of the three waves that an analyser makes necessary and one
    /// more.
    @Test func theTimeItTakesIsKnownBeforehand() {
        #expect(abs(tune(analyserSeconds: nil).minutes - 1) < 0.001)
        #expect(abs(tune(analyserSeconds: 5).minutes - 2.6) < 0.001)
    }

    // MARK: The picture

    private let curve = Curve(
        rates: [
            Configuration(replicas: 1, threads: 1, batch: 1): 900,
            Configuration(replicas: 1, threads: 10, batch: 1): 3000,
            Configuration(replicas: 1, threads: 1, batch: 32): 8000,
            Configuration(replicas: 1, threads: 10, batch: 32): 16_000,
            Configuration(replicas: 2, threads: 10, batch: 32): 17_000,
        ],
        choice: Configuration(replicas: 1, threads: 10, batch: 32),
        workload: "plain",
        analyserSeconds: nil
    )

    /// Counts elements, and keeps what a point's coordinates are.
    private final class Reader: NSObject, XMLParserDelegate {
        var elements: [String: Int] = [:]
        var circles: [(x: Double, y: Double)] = []

        func parser(
            _ parser: XMLParser,
            didStartElement name: String,
            namespaceURI: String?,
            qualifiedName: String?,
            attributes: [String: String] = [:]
        ) {
            elements[name, default: 0] += 1
            guard name == "circle", let x = attributes["cx"].flatMap({ Double($0) }),
                let y = attributes["cy"].flatMap({ Double($0) })
            else { return }
            circles.append((x, y))
        }
    }

    private func read(_ curve: Curve) -> Reader? {
        let reader = Reader()
        let parser = XMLParser(data: Data(curve.svg.utf8))
        parser.delegate = reader
        return parser.parse() ? reader : nil
    }

    @Test func thePictureIsWellFormedAndHasEveryPointInside() throws {
        let reader = try #require(read(curve))
        #expect(reader.elements["polyline"] == 4)
        // Five points, a ring around the choice, a ring in the legend.
        #expect(reader.circles.count == 7)
        #expect(reader.circles.allSatisfy { (0...820).contains($0.x) && (0...460).contains($0.y) })
        #expect(curve.svg.contains("prefers-color-scheme: dark"))
    }

    @Test func aPictureOfOnePointIsWellFormedToo() {
        let point = point(1, 1, 1)
        let curve = Curve(
            rates: [point: 5],
            choice: point,
            workload: "plain",
            analyserSeconds: 0.5
        )
        #expect(read(curve) != nil)
    }
}
