import COpenSSL
import Glibc

/// How the link to the broker is encrypted. TLS 1.2 or later; the broker's certificate and the name
/// in it are always checked.
package struct TransportSecurity: Sendable, Equatable {
    /// Path of the certificates to trust, as PEM; nil for the system's.
    package var authority: String?
    /// Who we are, for a broker that asks: paths of a certificate and its key, as PEM.
    package var identity: Identity?

    package struct Identity: Sendable, Equatable {
        package var certificate: String
        /// Without a passphrase: no operator is present to type it.
        package var key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    package init(authority: String? = nil, identity: Identity? = nil) {
        self.authority = authority
        self.identity = identity
    }

    /// Has OpenSSL free nothing when the process exits: connections that were given up are still
    /// being opened then, on threads of their own, and would read what is freed. To be called
    /// before any other use of the library, by whichever module.
    package static func keepAllUntilTheEnd() {
        OPENSSL_init_crypto(noCleanupAtExit, nil)
    }

    /// OPENSSL_INIT_NO_ATEXIT, a macro with a cast.
    private static let noCleanupAtExit: UInt64 = 0x80000

    /// What is wrong with the files as they are now; nil when they can be used.
    package func defect() -> TLSFailure? {
        guard let context = SSL_CTX_new(TLS_client_method()) else { return .fromQueue(during: nil) }
        defer { SSL_CTX_free(context) }
        do throws(TLSFailure) {
            try load(into: context)
            return nil
        } catch { return error }
    }

    /// Reads the files and sets the terms.
    func load(into context: OpaquePointer) throws(TLSFailure) {
        ERR_clear_error()
        // SSL_CTX_set_min_proto_version
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        SSL_CTX_set_options(context, Self.noRenegotiation)
        let trusted =
            authority.map { SSL_CTX_load_verify_locations(context, $0, nil) }
            ?? SSL_CTX_set_default_verify_paths(context)
        if trusted != 1 { throw .unusable(.authority, reason: .lastReason()) }
        guard let identity else { return }
        // Left to itself it would ask at the terminal for a passphrase.
        SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in -1 }
        if SSL_CTX_use_certificate_chain_file(context, identity.certificate) != 1 {
            throw .unusable(.certificate, reason: .lastReason())
        }
        if SSL_CTX_use_PrivateKey_file(context, identity.key, SSL_FILETYPE_PEM) != 1 {
            throw .unusable(.key, reason: .lastReason())
        }
    }

    /// SSL_OP_NO_RENEGOTIATION, a macro with a cast: the broker is asked for its certificate once,
    /// while the callbacks of `Handshake` are in place.
    private static let noRenegotiation: UInt64 = 1 << 30
}

/// Why a link could not be encrypted, or not to whom it should lead. Safe to log.
package enum TLSFailure: Error, Sendable, Equatable, CustomStringConvertible {
    package enum File: Sendable { case authority, certificate, key }

    /// A file of ours cannot be used.
    case unusable(File, reason: String)
    /// The broker's certificate does not lead to one that we trust, or no longer.
    case untrusted(issuer: String, authority: String, reason: String)
    case wrongName(expected: String, certified: String)
    /// The broker's certificate, or one of its authority's, is too old or not valid yet.
    case outOfDate(reason: String)
    /// The broker speaks TLS 1.1 or older.
    case tooOld
    /// What answered is not TLS.
    case notTLS
    /// The broker demands a certificate of ours, or does not accept the one it got.
    case identityRefused(reason: String)
    /// The broker hung up, without a word.
    case ended
    case other(reason: String)

    package var description: String {
        switch self {
        case .unusable(.authority, let reason): "the trusted certificates cannot be used: \(reason)"
        case .unusable(.certificate, let reason): "our certificate cannot be used: \(reason)"
        case .unusable(.key, let reason): "the key of our certificate cannot be used: \(reason)"
        case .untrusted(let issuer, let authority, let reason):
            """
            the broker's certificate, issued by \(issuer), is not trusted by \(authority) \
            (\(reason)): set RABBITMQ_TLS_CA to the certificate of its authority
            """
        case .wrongName(let expected, let certified):
            """
            the broker's certificate is for \(certified), not for \(expected): use a name that it \
            has, or give the broker a certificate for \(expected)
            """
        case .outOfDate(let reason):
            "the broker's certificate is not valid now (\(reason)): renew it, or set the clocks"
        case .tooOld: "the broker offers no TLS 1.2 or later: allow it there"
        case .notTLS:
            "what answers there does not speak TLS: use the broker's TLS port (5671), or amqp://"
        case .identityRefused(let reason):
            """
            the broker demands a client certificate that it trusts (\(reason)): see \
            RABBITMQ_TLS_CERTIFICATE and RABBITMQ_TLS_KEY
            """
        case .ended:
            """
            the broker ended the TLS connection without a word; right after the handshake: it may \
            demand a client certificate, RABBITMQ_TLS_CERTIFICATE
            """
        case .other(let reason): "TLS: \(reason)"
        }
    }

    /// What OpenSSL noted last on this thread.
    ///
    /// - Parameter handshake: what was seen of the certificate, if there was a handshake.
    static func fromQueue(during handshake: Handshake?) -> TLSFailure {
        if let refusal = handshake?.refusal { return refusal }
        let code = ERR_peek_last_error()
        if code == 0 { return .ended }
        switch ERR_GET_REASON(code) {
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
            return .tooOld
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_PACKET_LENGTH_TOO_LONG, SSL_R_HTTP_REQUEST,
            SSL_R_RECORD_LENGTH_MISMATCH:
            return .notTLS
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
            SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
            SSL_R_TLSV1_ALERT_UNKNOWN_CA, SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
            return .identityRefused(reason: .lastReason())
        case SSL_R_UNEXPECTED_EOF_WHILE_READING:
            return .ended
        case _:
            return .other(reason: .lastReason())
        }
    }
}

extension String {
    /// OpenSSL's words for what it noted last on this thread.
    fileprivate static func lastReason() -> String {
        let code = ERR_peek_last_error()
        // What the system refused is noted by its errno, and has no words of OpenSSL's: those that
        // ERR_SYSTEM_ERROR is true for.
        for noted in [ERR_peek_error(), code] where noted & 0x8000_0000 != 0 {
            return String(cString: strerror(ERR_GET_REASON(noted)))
        }
        return ERR_reason_error_string(code).map { String(cString: $0) } ?? "no reason given"
    }
}
