import Foundation
import Testing

@testable import Benchmark

struct BenchmarkMetricTests {
    @Test func aPercentileLiesBetweenTheValuesNextToIt() {
        #expect(percentile(50, of: [3, 1, 2]) == 2)
        #expect(percentile(50, of: [4, 1, 2, 3]) == 2.5)
        #expect(percentile(99, of: (0...100).map(Double.init)) == 99)
        #expect(percentile(99, of: [7]) == 7)
        #expect(percentile(50, of: []) == nil)
    }

    @Test func aSeriesGivesMedianLeastAndMostOfWhatWasMeasured() {
        var series = Series()
        for rate in [30.0, 10, 20] { series.add([.conversationsPerSecond: rate]) }
        series.add([.ackP50: 1])
        let spread = series[.conversationsPerSecond]
        #expect(spread?.median == 20)
        #expect(spread?.min == 10)
        #expect(spread?.max == 30)
        #expect(series[.brokerCores] == nil)
    }

    @Test func aFamilyOfProcessesHasUsedAtLeastWhatItsParentHas() throws {
        let own = try #require(Usage.cpuSeconds(of: getpid()))
        let family = try #require(try Usage.cpuSecondsOfFamily(of: getpid()))
        // The kernel's clock ticks in hundredths, user and system apart.
        #expect(own > 0 && family >= own - 0.05)
        #expect(try #require(Usage.peakResidentMegabytes(of: getpid())) > 1)
    }

    @Test func aProcessThatIsGoneHasNoUsage() throws {
        // More than the kernel's largest, 2²².
        let gone: Int32 = 5_000_000
        #expect(Usage.cpuSeconds(of: gone) == nil)
        #expect(try Usage.cpuSecondsOfFamily(of: gone) == nil)
        #expect(Usage.peakResidentMegabytes(of: gone) == nil)
    }

    @Test func pgbenchsFigureIsReadFromItsReport() {
        let report = """
            number of failed transactions: 0 (0.000%)
            latency average = 2.481 ms
            tps = 4030.214311 (without initial connection time)
            """
        #expect(Pgbench.transactionsPerSecond(report) == 4030.214311)
        #expect(Pgbench.transactionsPerSecond("pgbench: error: no") == nil)
    }
}
