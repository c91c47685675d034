import AMQP

extension TransportSecurity {
    /// From the settings of a link that is to be encrypted.
    ///
    /// - Parameter mistakes: where it says what it cannot accept.
    init(_ values: SettingValues, _ mistakes: inout [String]) {
        let (certificate, key) = (
            values.text("RABBITMQ_TLS_CERTIFICATE"), values.text("RABBITMQ_TLS_KEY")
        )
        self.init(authority: values.text("RABBITMQ_TLS_CA"))
        if let certificate, let key {
            identity = .init(certificate: certificate, key: key)
        } else if certificate != nil || key != nil {
            mistakes.append(
                "RABBITMQ_TLS_CERTIFICATE and RABBITMQ_TLS_KEY: set both of them or neither"
            )
        }
        switch defect() {
        case .unusable(.authority, let reason):
            mistakes.append(
                "RABBITMQ_TLS_CA: no certificates in PEM could be read from its file (\(reason))"
            )
        case .unusable(.certificate, let reason):
            mistakes.append(
                "RABBITMQ_TLS_CERTIFICATE: no certificate in PEM could be read from its file "
                    + "(\(reason))"
            )
        case .unusable(.key, let reason):
            mistakes.append(
                """
                RABBITMQ_TLS_KEY: no key in PEM, without a passphrase, that fits \
                RABBITMQ_TLS_CERTIFICATE could be read from its file (\(reason))
                """
            )
        case let defect?: mistakes.append("RABBITMQ_TLS: \(defect)")
        case nil: break
        }
    }

    /// Says which settings ask for TLS where the link is plain: who sets them believes that it is
    /// not.
    static func complain(ofPlainLinkIn values: SettingValues, _ mistakes: inout [String]) {
        let names = ["RABBITMQ_TLS_CA", "RABBITMQ_TLS_CERTIFICATE", "RABBITMQ_TLS_KEY"].filter {
            values.text($0) != nil
        }
        if !names.isEmpty {
            mistakes.append(
                "\(names.joined(separator: ", ")): set, but the link to the broker is plain; use "
                    + "amqps:// in RABBITMQ_URL, or RABBITMQ_TLS=true with RABBITMQ_HOST"
            )
        }
    }
}
