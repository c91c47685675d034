import CCurl
import Foundation

/// One request on its way: libcurl's handle of it, and what has come back so far.
final class Transfer {
    let id: Int
    let easy: UnsafeMutableRawPointer
    let done: @Sendable (HTTPClient.Outcome) -> Void
    /// Whether libcurl has taken all of its options.
    private(set) var isUsable = true

    private let responseLimit: Int
    private let admits: (@Sendable (IPAddress) -> Bool)?
    /// Whether an address of the host was not admitted.
    private var isRefused = false
    private var headers: UnsafeMutablePointer<curl_slist>?
    private var body = Data()
    /// Whether the rest of the body was not taken.
    private var isCut = false

    init(
        _ id: Int,
        _ request: HTTPRequest,
        trusting authorities: String?,
        _ done: @escaping @Sendable (HTTPClient.Outcome) -> Void
    ) {
        guard let easy = curl_easy_init() else { preconditionFailure("no memory left") }
        self.id = id
        self.easy = easy
        self.done = done
        responseLimit = request.responseLimit
        admits = request.admits
        set(CURLOPT_PRIVATE, to: id)
        setProtocol(authorities)
        setMessage(request)
        amity_curl_set_write(
            easy,
            { bytes, _, count, transfer in
                guard let bytes, let transfer else { return 0 }
                let this = Unmanaged<Transfer>.fromOpaque(transfer).takeUnretainedValue()
                return this.take(UnsafeRawBufferPointer(start: bytes, count: count))
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
        if admits != nil { setOpenSocket() }
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(headers)
    }

    static func id(of easy: UnsafeMutableRawPointer) -> Int {
        amity_curl_number(easy, CURLINFO_PRIVATE)
    }

    /// - Parameter code: how it has ended.
    func outcome(of code: CURLcode) -> HTTPClient.Outcome {
        let status = amity_curl_number(easy, CURLINFO_RESPONSE_CODE)
        let response = HTTPResponse(status: status, headers: receivedHeaders, body: body)
        switch code {
        case CURLE_OK: return .success(response)
        case CURLE_WRITE_ERROR where isCut:
            return response.isSuccess ? .failure(.tooLarge) : .success(response)
        case CURLE_OPERATION_TIMEDOUT: return .failure(.timeout)
        case CURLE_COULDNT_CONNECT where isRefused: return .failure(.unreachable(.addressRefused))
        case _:
            let number = Int32(truncatingIfNeeded: amity_curl_number(easy, CURLINFO_OS_ERRNO))
            return .failure(.unreachable(ConnectionFailure(code, errno: number)))
        }
    }

    private var receivedHeaders: [String: String] {
        var found: [String: String] = [:]
        var last: UnsafeMutablePointer<curl_header>?
        while let header = curl_easy_nextheader(easy, UInt32(CURLH_HEADER), -1, last) {
            let name = String(cString: header.pointee.name).lowercased()
            if found[name] == nil { found[name] = String(cString: header.pointee.value) }
            last = header
        }
        return found
    }

    /// - Returns: how many bytes were taken; fewer than there are end the transfer.
    private func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        let count = min(bytes.count, responseLimit - body.count)
        body.append(contentsOf: bytes.prefix(count))
        isCut = count < bytes.count
        return count
    }

    /// - Returns: a socket for a connection to that address; nil where it is not admitted.
    private func openSocket(to address: UnsafeMutablePointer<curl_sockaddr>) -> Int32? {
        guard let target = IPAddress(amity_curl_address(address)), admits?(target) == true else {
            isRefused = true
            return nil
        }
        let kind = address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue)
        return socket(address.pointee.family, kind, address.pointee.protocol)
    }

    // MARK: Options

    private func setOpenSocket() {
        let code = amity_curl_set_open_socket(
            easy,
            { transfer, _, address in
                guard let transfer, let address else { return -1 }
                let this = Unmanaged<Transfer>.fromOpaque(transfer).takeUnretainedValue()
                return this.openSocket(to: address) ?? -1
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
        check(code)
    }

    private func setProtocol(_ authorities: String?) {
        set(CURLOPT_PROTOCOLS_STR, to: "http,https")
        // One connection for each request under way: one that breaks takes no other along.
        // Enumerators of libcurl 7, and macros of another type since 8.13.
        set(CURLOPT_HTTP_VERSION, to: Int(CURL_HTTP_VERSION_1_1))
        set(CURLOPT_SSLVERSION, to: Int(CURL_SSLVERSION_TLSv1_2))
        // libcurl shares what it has read of trusted certificates only where there is no folder of
        // them, too; otherwise each connection keeps a megabyte of them.
        set(CURLOPT_CAPATH, to: nil)
        if let authorities { set(CURLOPT_CAINFO, to: authorities) }
        // Not even one of the environment.
        set(CURLOPT_PROXY, to: "")
        // No signals, and no wait for a name server when a transfer is given up.
        set(CURLOPT_NOSIGNAL, to: 1)
        set(CURLOPT_QUICK_EXIT, to: 1)
        // Servers close connections that are not used, often after a minute or less.
        set(CURLOPT_MAXAGE_CONN, to: 15)
    }

    private func setMessage(_ request: HTTPRequest) {
        set(CURLOPT_URL, to: request.url)
        set(CURLOPT_PATH_AS_IS, to: 1)
        set(CURLOPT_TIMEOUT_MS, to: Self.milliseconds(request.timeout))
        set(CURLOPT_CONNECTTIMEOUT_MS, to: Self.milliseconds(request.connectTimeout))
        switch request.method {
        case .get: set(CURLOPT_HTTPGET, to: 1)
        case .head:
            set(CURLOPT_NOBODY, to: 1)
            // Not every server ends its answer to HEAD where it should.
            set(CURLOPT_FORBID_REUSE, to: 1)
        case .post:
            set(CURLOPT_POSTFIELDSIZE, to: request.body.count)
            // With a byte more than is sent: no body at all would be read from standard input.
            let bytes = request.body.map { CChar(bitPattern: $0) } + [0]
            check(amity_curl_set_text(easy, CURLOPT_COPYPOSTFIELDS, bytes))
        }
        for (name, value) in request.headers { add("\(name): \(value)") }
        // The body follows at once, however long it is.
        add("Expect:")
        check(amity_curl_set_list(easy, CURLOPT_HTTPHEADER, headers))
    }

    /// 0 would be no limit.
    private static func milliseconds(_ time: Duration) -> Int {
        Int(min(max(1, time / .milliseconds(1)), 86_400_000))
    }

    private func add(_ header: String) {
        // A line break would begin another header.
        if header.utf8.contains(where: { $0 < 0x20 }) { isUsable = false }
        guard let longer = curl_slist_append(headers, header) else { return isUsable = false }
        headers = longer
    }

    private func set(_ option: CURLoption, to value: Int) {
        check(amity_curl_set_number(easy, option, value))
    }

    private func set(_ option: CURLoption, to value: String?) {
        check(amity_curl_set_text(easy, option, value))
    }

    private func check(_ code: CURLcode) {
        if code != CURLE_OK { isUsable = false }
    }
}
