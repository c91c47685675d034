import Foundation
import Testing

extension Integration {
    /// TLS to the broker, with an authority of the test's own. Every refusal has its counterpart
    /// that is let in, so that it is the fault alone that is refused.
    struct BrokerSecurity {
        private let authority: PrivateAuthority
        private let identity: PrivateAuthority.Identity

        init() throws {
            authority = try PrivateAuthority()
            identity = try authority.issue("DNS:localhost")
        }

        private func scene(
            _ url: String,
            _ extra: [String: String] = [:],
            trusting other: PrivateAuthority? = nil
        ) throws -> Scene {
            let settings = [
                "RABBITMQ_URL": url, "RABBITMQ_TLS_CA": (other ?? authority).certificate,
            ]
            return try Scene(settings: settings.merging(extra) { $1 })
        }

        private func expectAcceptance(_ scene: Scene) throws {
            let done = try scene.amity(["migrate", "--topology"], try scene.asOwner())
            #expect(done.status == 0, "\(done.error)")
        }

        /// A command ends, and a worker goes on trying, with a line that says what to do, in time.
        private func expectRefusal(
            _ scene: Scene,
            saying text: String
        ) throws {
            for command in [["migrate", "--topology"], ["publish", "c1"]] {
                let begin = ContinuousClock.now
                let done = try scene.amity(command, try scene.asOwner())
                #expect(begin.duration(to: .now) < .seconds(20), "the deadline is 10 s")
                #expect(done.status == 69)
                #expect(done.error.contains(text), "\(done.error)")
            }
            let worker = try scene.startWorker()
            try eventually("the worker says so") {
                !worker.events("consumer.connection-lost").isEmpty
            }
            let line = worker.events("consumer.connection-lost").first?["error"] as? String
            #expect(line?.contains(text) == true, "\(line ?? "")")
            #expect(worker.events("consumer.started").isEmpty)
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
        }

        // MARK: Work

        /// Faults: bytes that OpenSSL has decrypted wait for a poll that sees none; a body longer
        /// than a record or a frame is torn.
        @Test(arguments: ["tlsv1.2", "tlsv1.3"])
        func aWorkerDoesAllItsWorkThroughTLS(version: String) throws {
            let listener = try SecureListener(identity, "{versions, ['\(version)']}")
            let scene = try scene(try listener.url("localhost"))
            try expectAcceptance(scene)
            try scene.addConversations(300)
            let worker = try scene.startWorker()
            try scene.publish(
                (0..<300).map { Scene.body("c\($0)", ignoring: $0 % 30 == 0 ? 300_000 : $0 * 40) }
            )
            try scene.expectEachToCountOnce(300, by: worker)
            try scene.publish([Array("bad".utf8), Array("[]".utf8)])
            #expect(try scene.deadLetters.take(2).count == 2)
            #expect(worker.events("consumer.connection-lost").isEmpty)
            worker.signal(SIGTERM)
            #expect(try worker.waitForExit() == 0)
        }

        /// Fault: a record comes in pieces, and the worker waits in the middle of one.
        @Test func recordsMayComeInPieces() throws {
            let listener = try SecureListener(try authority.issue("IP:127.0.0.1"))
            let scene = try scene(try listener.url("127.0.0.1"))
            let proxy = try Proxy(to: listener.port)
            proxy.slowDown(toBytesPerSecond: 200_000)
            try scene.addConversations(20)
            try scene.publish((0..<20).map { Scene.body("c\($0)", ignoring: 30_000) })
            let worker = try scene.startWorker(through: proxy)
            try scene.expectEachToCountOnce(20, by: worker)
            #expect(worker.events("consumer.connection-lost").isEmpty)
        }

        /// Fault: the link dies without a word, and the worker waits inside the library for ever.
        @Test func aDeadLinkIsNoticedAndMended() throws {
            let listener = try SecureListener(try authority.issue("IP:127.0.0.1"))
            let scene = try scene(try listener.url("127.0.0.1"), ["HEARTBEAT_SECONDS": "1"])
            let proxy = try Proxy(to: listener.port)
            let worker = try scene.startWorker(through: proxy)
            try worker.waitUntilConsuming()
            proxy.stall([.toServer, .toClient])
            try eventually("the worker has noticed") {
                !worker.events("consumer.connection-lost").isEmpty
            }
            proxy.endFaults()
            try worker.resumes(session: 2)
            try scene.addConversations(5)
            try scene.publish(ids: (0..<5).map { "c\($0)" })
            try scene.expectEachToCountOnce(5, by: worker)
        }

        // MARK: Refusals

        @Test func aBrokerOfAnotherAuthorityIsRefused() throws {
            let listener = try SecureListener(identity)
            let other = try PrivateAuthority("Another authority")
            try expectRefusal(
                try scene(try listener.url("localhost"), trusting: other),
                saying:
                    "issued by CN=Amity test authority, is not trusted by \(other.certificate)"
            )
            try expectAcceptance(try scene(try listener.url("localhost")))
        }

        @Test func thePrivateAuthorityIsNoneOfTheSystems() throws {
            let listener = try SecureListener(identity)
            try expectRefusal(
                try scene(try listener.url("localhost"), ["RABBITMQ_TLS_CA": ""]),
                saying: "is not trusted by the system's certificates"
            )
            try expectAcceptance(try scene(try listener.url("localhost")))
        }

        /// Fault: any server with a certificate of the same authority can pose as the broker.
        @Test(arguments: [
            ("DNS:localhost", "localhost", "127.0.0.1"), ("IP:127.0.0.1", "127.0.0.1", "localhost"),
            ("DNS:*.test,DNS:localhost", "localhost", "127.0.0.1"),
        ])
        func aCertificateForAnotherHostIsRefused(names: String, right: String, wrong: String) throws
        {
            let listener = try SecureListener(try authority.issue(names))
            try expectRefusal(
                try scene(try listener.url(wrong)),
                saying: "not for \(wrong)"
            )
            try expectAcceptance(try scene(try listener.url(right)))
        }

        @Test func aCertificateThatHasExpiredIsRefused() throws {
            let expired = try authority.issue("DNS:localhost", days: 0)
            // OpenSSL 3.4 makes none that is past already.
            try eventually("it has expired") {
                try Command.run(
                    URL(fileURLWithPath: "/usr/bin/env"),
                    ["openssl", "x509", "-checkend", "0", "-noout", "-in", expired.certificate]
                ).status == 1
            }
            let old = try SecureListener(expired)
            try expectRefusal(
                try scene(try old.url("localhost")),
                saying: "is not valid now (certificate has expired)"
            )
            try expectAcceptance(try scene(try SecureListener(identity).url("localhost")))
        }

        /// A broker with several names chooses its certificate by the one it is asked for.
        @Test func theBrokerIsAskedForByItsName() throws {
            let other = try authority.issue("DNS:other")
            let hosts = """
                {sni_hosts, [{"localhost", [{certfile, "\(identity.certificate)"}, \
                {keyfile, "\(identity.key)"}]}]}
                """
            try expectAcceptance(try scene(try SecureListener(other, hosts).url("localhost")))
            try expectRefusal(
                try scene(try SecureListener(other).url("localhost")),
                saying: "for DNS:other, not for localhost"
            )
        }

        /// Fault: an old broker, or an attacker in between, makes the worker use a TLS version that
        /// is broken. Here OpenSSL's own configuration allows that version: Debian's configuration
        /// forbids it, others may not.
        @Test func anOldVersionIsRefused() throws {
            let lax = try TemporaryFile(PrivateAuthority.laxConfiguration)
            let old = try SecureListener(identity, "{versions, ['tlsv1.1']}")
            let client = try Command.run(
                URL(fileURLWithPath: "/usr/bin/env"),
                [
                    "openssl", "s_client", "-connect", "127.0.0.1:\(old.port)",
                    "-verify_return_error",
                    "-CAfile", authority.certificate,
                ],
                environment: ["OPENSSL_CONF": lax.path]
            )
            #expect(client.output.contains("Protocol  : TLSv1.1"), "the listener is not an old one")
            try expectRefusal(
                try scene(try old.url("localhost"), ["OPENSSL_CONF": lax.path]),
                saying: "the broker offers no TLS 1.2 or later"
            )
            try expectAcceptance(
                try scene(try SecureListener(identity, "{versions, ['tlsv1.2']}").url("localhost"))
            )
        }

        /// Fault: 5672 instead of 5671, or a proxy in front that has gone.
        @Test func whatDoesNotSpeakTLSIsRefusedInTime() throws {
            let plain = try Servers.port("RABBITMQ_URL")
            let listener = try SecureListener(identity)
            let port = "localhost:\(listener.port)"
            let url = try listener.url("localhost")
            try expectRefusal(
                try scene(url.replacing(port, with: "localhost:\(plain)")),
                saying: "does not speak TLS"
            )
            let silence = try Silence()
            try expectRefusal(
                try scene(url.replacing(port, with: "localhost:\(silence.port)")),
                saying: "connect to localhost:\(silence.port)"
            )
            try expectAcceptance(try scene(url))
        }

        /// With TLS 1.3 the broker refuses when the client believes itself let in.
        @Test(arguments: ["tlsv1.2", "tlsv1.3"])
        func aClientCertificateIsShownToWhoDemandsOne(version: String) throws {
            let listener = try SecureListener(
                identity,
                "{versions, ['\(version)']}",
                SecureListener.demanding(authority)
            )
            func with(_ identity: PrivateAuthority.Identity) -> [String: String] {
                [
                    "RABBITMQ_TLS_CERTIFICATE": identity.certificate,
                    "RABBITMQ_TLS_KEY": identity.key,
                ]
            }
            let url = try listener.url("localhost")
            try expectRefusal(try scene(url), saying: "RABBITMQ_TLS_CERTIFICATE")
            let other = try PrivateAuthority("Another authority")
            let stranger = try other.issue("DNS:worker")
            try expectRefusal(try scene(url, with(stranger)), saying: "RABBITMQ_TLS_CERTIFICATE")
            try expectAcceptance(try scene(url, with(try authority.issue("DNS:worker"))))
        }
    }
}
