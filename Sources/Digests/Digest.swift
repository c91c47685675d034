// The two sums that tell one text from another, by OpenSSL. It keeps nothing and knows no text of
// ours.

import COpenSSL

/// SHA-256, and HMAC on top of it.
package enum Digest {
    private static let length = 32

    /// - Returns: 32 bytes.
    package static func sha256(_ bytes: some Collection<UInt8>) -> [UInt8] {
        let bytes = Array(bytes)
        var digest = [UInt8](repeating: 0, count: length)
        SHA256(bytes, bytes.count, &digest)
        return digest
    }

    /// What only who has `key` can make of `bytes`.
    ///
    /// - Returns: 32 bytes.
    package static func hmac(_ bytes: some Collection<UInt8>, key: some Collection<UInt8>)
        -> [UInt8]
    {
        let (bytes, key) = (Array(bytes), Array(key))
        var digest = [UInt8](repeating: 0, count: length)
        var written: UInt32 = 0
        let made = HMAC(EVP_sha256(), key, Int32(key.count), bytes, bytes.count, &digest, &written)
        precondition(made != nil && Int(written) == length, "OpenSSL has no HMAC")
        return digest
    }

    /// Takes the same time for every guess of the same length, so that no client can find a secret
    /// byte by byte.
    package static func areEqual(
        _ guess: some Collection<UInt8>,
        _ secret: some Collection<UInt8>
    ) -> Bool {
        let (guess, secret) = (Array(guess), Array(secret))
        return guess.count == secret.count && CRYPTO_memcmp(guess, secret, guess.count) == 0
    }
}

extension Collection<UInt8> {
    /// Two digits each.
    package var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
            as: UTF8.self
        )
    }
}
