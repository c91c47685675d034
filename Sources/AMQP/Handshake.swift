import COpenSSL
import CRabbitMQ

/// What the library leaves out of a handshake: whom we mean.
///
/// The library connects to a numeric address and would ask for, and look for, that in the
/// certificate. So OpenSSL is told the host's name itself, by two callbacks that are there while a
/// connection opens.
final class Handshake {
    private let context: OpaquePointer
    private let host: String
    private let isNumeric: Bool
    private let authority: String
    /// What was wrong with the broker's certificate.
    private(set) var refusal: TLSFailure?

    /// - Parameter socket: the library's, for TLS, before it opens.
    convenience init(
        through socket: OpaquePointer,
        as security: TransportSecurity,
        with address: Endpoint.Address
    ) throws(AMQPError) {
        // It would look for the numeric address.
        amqp_ssl_socket_set_verify_hostname(socket, 0)
        do throws(TLSFailure) {
            try self.init(
                on: OpaquePointer(amqp_ssl_socket_get_context(socket)!),
                as: security,
                with: address.host
            )
        } catch { throw .insecure(error, during: "connect to \(address)") }
    }

    private init(
        on context: OpaquePointer,
        as security: TransportSecurity,
        with host: String
    ) throws(TLSFailure) {
        try security.load(into: context)
        self.context = context
        self.host = host
        authority = security.authority ?? "the system's certificates"
        let terms = SSL_CTX_get0_param(context)
        isNumeric = X509_VERIFY_PARAM_set1_ip_asc(terms, host) == 1
        if !isNumeric {
            X509_VERIFY_PARAM_set_hostflags(terms, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            guard X509_VERIFY_PARAM_set1_host(terms, host, 0) == 1 else {
                throw .other(reason: "\(host) is no name that a certificate could have")
            }
        }
        ERR_clear_error()
        // SSL_CTX_set_app_data; not retained: `end` takes it away.
        SSL_CTX_set_ex_data(context, 0, Unmanaged.passUnretained(self).toOpaque())
        SSL_CTX_set_info_callback(context) { session, event, _ in
            if event & SSL_CB_HANDSHAKE_START != 0 { Handshake.of(session)?.askForName(session) }
        }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER) { isAccepted, store in
            if isAccepted == 0 {
                let index = SSL_get_ex_data_X509_STORE_CTX_idx()
                let session = X509_STORE_CTX_get_ex_data(store, index).map { OpaquePointer($0) }
                Handshake.of(session)?.refuse(store)
            }
            return isAccepted
        }
    }

    /// To be called before it goes.
    func end() {
        SSL_CTX_set_ex_data(context, 0, nil)
        SSL_CTX_set_info_callback(context, nil)
    }

    private static func of(_ session: OpaquePointer?) -> Handshake? {
        guard let session, let data = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), 0)
        else { return nil }
        return Unmanaged<Handshake>.fromOpaque(data).takeUnretainedValue()
    }

    /// Before the first message goes out: a broker with several names chooses its certificate by
    /// it.
    private func askForName(_ session: OpaquePointer?) {
        refusal = nil  // Of the address before.
        // SSL_set_tlsext_host_name; an address is not a name, and is not to be sent.
        let kind = Int(TLSEXT_NAMETYPE_host_name)
        if isNumeric {
            SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, kind, nil)
        } else {
            host.withCString {
                let name = UnsafeMutableRawPointer(mutating: $0)
                _ = SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, kind, name)
            }
        }
    }

    private func refuse(_ store: OpaquePointer?) {
        let error = X509_STORE_CTX_get_error(store)
        let certificate = X509_STORE_CTX_get_current_cert(store)
        switch error {
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            refusal = .wrongName(expected: host, certified: Self.names(of: certificate))
        case X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID:
            refusal = .outOfDate(
                reason: String(cString: X509_verify_cert_error_string(Int(error)))
            )
        case _:
            refusal = .untrusted(
                issuer: Self.text {
                    X509_NAME_print_ex($0, X509_get_issuer_name(certificate), 0, 0)
                },
                authority: authority,
                reason: String(cString: X509_verify_cert_error_string(Int(error)))
            )
        }
    }

    private static func names(of certificate: OpaquePointer?) -> String {
        let index = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1)
        if index < 0 {
            return text { X509_NAME_print_ex($0, X509_get_subject_name(certificate), 0, 0) }
        }
        return text { X509V3_EXT_print($0, X509_get_ext(certificate, index), 0, 0) }
    }

    /// What OpenSSL prints, a line at most: it is a stranger's.
    private static func text(_ print: (OpaquePointer?) -> Int32) -> String {
        guard let memory = BIO_new(BIO_s_mem()) else { return "?" }
        defer { BIO_free(memory) }
        guard print(memory) > 0 else { return "?" }
        let bytes = [UInt8](unsafeUninitializedCapacity: 200) { buffer, count in
            count = max(0, Int(BIO_read(memory, buffer.baseAddress, 200)))
        }
        return String(decoding: bytes.map { $0 < 0x20 ? 0x20 : $0 }, as: UTF8.self)
    }
}
