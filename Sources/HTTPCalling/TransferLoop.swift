import CCurl
import CLinux
import Concurrency
import Glibc

/// What a client's thread does: starts transfers, waits for all of their sockets at once, and
/// reports those that are done. Made and used on that thread; `run` is its whole life.
final class TransferLoop {
    private let multi: UnsafeMutableRawPointer
    private let epoll: Int32
    private let authorities: String?
    private var transfers: [Int: Transfer] = [:]
    /// When libcurl wants to be called, whatever the sockets do.
    private var due: ContinuousClock.Instant?

    /// Once for the process, as libcurl demands.
    private static let library: Void = {
        precondition(curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK, "libcurl is usable")
    }()

    init(connections: Int, trusting authorities: String?) {
        _ = Self.library
        self.authorities = authorities
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        precondition(epoll >= 0, "no descriptor left for an epoll")
        guard let multi = curl_multi_init() else { preconditionFailure("no memory left") }
        self.multi = multi
        amity_curl_multi_set_number(multi, CURLMOPT_MAXCONNECTS, connections)
        amity_curl_multi_set_callbacks(
            multi,
            { _, socket, interest, loop, _ in
                TransferLoop.from(loop).watch(socket, for: interest)
                return 0
            },
            { _, milliseconds, loop in
                TransferLoop.from(loop).due =
                    milliseconds < 0 ? nil : .now + .milliseconds(milliseconds)
                return 0
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    deinit { close(epoll) }

    private static func from(_ context: UnsafeMutableRawPointer?) -> TransferLoop {
        guard let context else { preconditionFailure("libcurl gives back what it was given") }
        return Unmanaged<TransferLoop>.fromOpaque(context).takeUnretainedValue()
    }

    /// Until it is told to stop.
    func run(_ orders: Mailbox<HTTPClient.Order>, wokenBy bell: Int32) {
        // OpenSSL writes to connections that may be gone.
        var brokenPipe = sigset_t()
        sigemptyset(&brokenPipe)
        sigaddset(&brokenPipe, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &brokenPipe, nil)
        watch(bell, for: CURL_POLL_IN)
        while true {
            wait(besides: bell)
            report()
            for order in orders.drain() {
                switch order {
                case .start(let id, let request, let done):
                    start(Transfer(id, request, trusting: authorities, done))
                case .cancel(let id): end(id) { _ in .failure(.cancelled) }
                case .stop: return stop()
                }
            }
        }
    }

    private func start(_ transfer: Transfer) {
        transfers[transfer.id] = transfer
        let status = curl_multi_add_handle(multi, transfer.easy)
        if status != CURLM_OK || !transfer.isUsable {
            end(transfer.id) { $0.outcome(of: CURLE_FAILED_INIT) }
        }
    }

    private func stop() {
        for id in transfers.keys { end(id) { _ in .failure(.cancelled) } }
        curl_multi_cleanup(multi)
    }

    /// Does nothing where it has ended already.
    private func end(_ id: Int, with outcome: (Transfer) -> HTTPClient.Outcome) {
        guard let transfer = transfers.removeValue(forKey: id) else { return }
        let result = outcome(transfer)
        curl_multi_remove_handle(multi, transfer.easy)
        transfer.done(result)
    }

    /// Reports the transfers that are done.
    private func report() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left)?.pointee {
            guard message.msg == CURLMSG_DONE, let easy = message.easy_handle else { continue }
            end(Transfer.id(of: easy)) { $0.outcome(of: message.data.result) }
        }
    }

    // MARK: Sockets and time

    /// Sleeps until there is something to do, and lets libcurl do it.
    private func wait(besides bell: Int32) {
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        let count = epoll_wait(epoll, &events, Int32(events.count), timeLeft)
        var running: Int32 = 0
        for event in events.prefix(max(0, Int(count))) where event.data.fd != bell {
            let isWritable = event.events & EPOLLOUT.rawValue != 0
            // An error or an end shows when it is read.
            let isReadable = event.events & ~EPOLLOUT.rawValue != 0
            let ready =
                (isReadable ? CURL_CSELECT_IN : 0) | (isWritable ? CURL_CSELECT_OUT : 0)
            curl_multi_socket_action(multi, event.data.fd, ready, &running)
        }
        if let due, due <= .now {
            self.due = nil
            curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running)
        }
    }

    /// In milliseconds, as epoll wants it.
    private var timeLeft: Int32 {
        guard let due else { return -1 }
        let milliseconds = ContinuousClock.now.duration(to: due) / .milliseconds(1)
        return Int32(clamping: Int64(max(0, milliseconds.rounded(.up))))
    }

    private func watch(_ socket: Int32, for interest: Int32) {
        var event = epoll_event()
        event.data.fd = socket
        if interest == CURL_POLL_REMOVE {
            epoll_ctl(epoll, EPOLL_CTL_DEL, socket, &event)
            return
        }
        if interest & CURL_POLL_IN != 0 { event.events |= EPOLLIN.rawValue }
        if interest & CURL_POLL_OUT != 0 { event.events |= EPOLLOUT.rawValue }
        if epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event) != 0 {
            epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event)
        }
    }
}
