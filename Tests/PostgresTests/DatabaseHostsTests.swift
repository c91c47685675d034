import Testing

@testable import Postgres

struct DatabaseHostsTests {
    private let hosts = DatabaseHosts(["host": "a,b,a", "port": "1,2,3", "user": "u"])

    /// Fault: the host list is turned and the ports are not, or a session is taken for one of
    /// another host.
    @Test func theHostThatWasConnectedComesFirstWithItsPort() {
        #expect(hosts.ordered() == ["host": "a,b,a", "port": "1,2,3"])
        #expect(hosts.connected(to: "a", "3") == 2)
        #expect(hosts.ordered() == ["host": "a,a,b", "port": "3,1,2"])
        #expect(hosts.connected(to: "unknown", "1") == 0)
    }

    /// Fault: every session begins with a host that is frozen, and waits for it.
    @Test func aSilentHostComesLast() {
        hosts.fellSilent(0)
        #expect(hosts.ordered()["host"] == "b,a,a")
        #expect(hosts.silences == [1, 0, 0])
        // Another session to it notices later, when others have gone on.
        _ = hosts.connected(to: "b", "2")
        hosts.fellSilent(0)
        #expect(hosts.ordered()["port"] == "2,3,1")
    }

    /// Fault: one port for all hosts, or one host alone, becomes a list that libpq refuses.
    @Test func whatIsNoListStays() {
        let one = DatabaseHosts(["hostaddr": "::1,::2", "port": "5432"])
        one.fellSilent(0)
        #expect(one.ordered() == ["hostaddr": "::2,::1"])
        #expect(one.connected(to: "::2", "5432") == 1)
        let single = DatabaseHosts(["host": "a"])
        single.fellSilent(0)
        #expect(single.count == 1 && single.ordered() == ["host": "a"])
        #expect(DatabaseHosts([:]).ordered() == [:])
    }
}
