import Testing

@testable import HTTPCalling

struct TargetHostsTests {
    // MARK: Addresses

    @Test(arguments: [
        "1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.1",
        "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111",
        "2a00:1450:4001::1", "2001:200::1", "2001:4860:4860::8888",
    ])
    func isPublic(text: String) throws {
        #expect(try #require(IPAddress(text)).isPublic)
    }

    /// Fault: a service's URL leads to this machine, its network, or a cloud's metadata.
    @Test(arguments: [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200",
        "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
        "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
        "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1",
        "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:db8::1",
        "2002:7f00:1::", "2002:808:808::1", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1",
        "fec0::1", "ff02::1", "5f00::1",
    ])
    func isNotPublic(text: String) throws {
        #expect(try !#require(IPAddress(text)).isPublic)
    }

    @Test(arguments: ["010.0.0.1", "1.1.1", "1.1.1.1 ", "0x7f.0.0.1", "2130706433", "", "::g"])
    func isNoAddress(text: String) {
        #expect(IPAddress(text) == nil)
    }

    // MARK: The list

    @Test(arguments: [
        // (list, URL, address, whether it may be called)
        ("", "https://a.example/", "1.1.1.1", true),
        ("", "http://a.example/", "1.1.1.1", false),
        ("", "https://a.example/", "10.0.0.1", false),
        ("a.example", "https://a.example/", "10.0.0.1", true),
        ("A.example ", "http://a.EXAMPLE:81/", "10.0.0.1", true),
        ("a.example", "https://b.a.example/", "10.0.0.1", false),
        ("a.example:81", "http://a.example:81/", "10.0.0.1", true),
        ("a.example:81", "http://a.example/", "10.0.0.1", false),
        ("a.example:443", "https://a.example/", "10.0.0.1", true),
        (" b.example , a.example:80", "http://a.example/", "10.0.0.1", true),
        ("10.1.0.0/16", "http://a.example/", "10.1.2.3", true),
        ("10.1.0.0/16", "https://a.example/", "10.2.2.3", false),
        ("10.1.0.0/17", "http://a.example/", "10.1.128.3", false),
        ("10.1.2.3", "http://a.example/", "10.1.2.3", true),
        ("10.1.2.3:81", "http://10.1.2.3:81/", "10.1.2.3", true),
        ("10.1.2.3:81", "http://10.1.2.3/", "10.1.2.3", false),
        ("fd00::/8", "http://a.example/", "fdff::1", true),
        ("[fd00::7]:81", "http://[fd00::7]:81/", "fd00::7", true),
        ("fd00::7", "http://[fd00::7]:81/", "fd00::7", true),
        ("127.0.0.0/8", "http://a.example/", "::ffff:127.0.0.1", false),
        ("0.0.0.0/0", "http://a.example/", "127.0.0.1", true),
    ])
    func decides(list: String, url: String, address: String, isAdmitted: Bool) throws {
        let target = try #require(HTTPTarget(url))
        let address = try #require(IPAddress(address))
        #expect(try TargetHosts(list).admit(target, at: address) == isAdmitted)
    }

    @Test(arguments: [
        ("a,,b", 2), ("a,", 2), ("http://a", 1), ("a, https://u:p@b/", 2), ("a:0", 1),
        ("a:65536", 1), ("a:b", 1), ("a:80:80", 1), ("a b", 1), ("10.0.0.0/33", 1),
        ("10.0.0.1/8", 1), ("10.0.0.0/-1", 1), ("a/8", 1), ("-a", 1), ("a..b", 1), ("*.a", 1),
        ("[fd00::7", 1), ("u@a", 1),
    ])
    func saysWhichEntryIsWrong(list: String, entry: Int) {
        let mistake = #expect(throws: TargetHosts.Mistake.self) { try TargetHosts(list) }
        #expect(mistake?.entry == entry)
        #expect(mistake?.description.contains("u:p") == false)
    }

    // MARK: URLs

    /// Fault: the list is asked for another host than the one that is called.
    @Test(arguments: [
        ("https://u@b.example/", nil), ("https://u:p@b.example/", nil), ("ftp://a/", nil),
        ("a.example", nil), ("", nil), ("http://a example/", nil), ("file:///etc/passwd", nil),
        ("http://a.example\\@b.example/", nil), ("HTTP://A.example", "a.example:80"),
        ("https://b.example#@a.example/", "b.example:443"),
        ("http://2130706433/", "127.0.0.1:80"), ("http://0x7f.1/", "127.0.0.1:80"),
        ("http://[::FFFF:7f00:1]:9/", "::ffff:7f00:1:9"),
    ])
    func aURLIsReadAsItIsSent(url: String, target: String?) {
        #expect(HTTPTarget(url).map { "\($0.host):\($0.port)" } == target)
    }
}
