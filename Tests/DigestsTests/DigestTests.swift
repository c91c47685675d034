import Digests
import Testing

struct DigestTests {
    @Test func sumsAreThoseOfTheStandards() {
        // FIPS 180-4's example, and RFC 4231's second case.
        #expect(
            Digest.sha256("abc".utf8).hexadecimal
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
        #expect(
            Digest.hmac("what do ya want for nothing?".utf8, key: "Jefe".utf8).hexadecimal
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        )
    }

    @Test func onlyTheSameBytesAreEqual() {
        #expect(Digest.areEqual("secret".utf8, "secret".utf8))
        for guess in ["", "secre", "secrets", "Secret", "secreT"] {
            #expect(!Digest.areEqual(guess.utf8, "secret".utf8), "\(guess)")
        }
        #expect(Digest.areEqual([], []))
    }
}
