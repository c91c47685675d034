import Logging

extension LinkHealth {
    /// Takes down a failure, and logs it when it begins, when its cause changes, and once a minute.
    package func failed(
        _ problem: Problem,
        logging event: Logger.Message,
        to logger: Logger
    ) {
        var metadata: Logger.Metadata = ["error": "\(problem.text)"]
        metadata["remedy"] = problem.remedy.map { "\($0)" }
        let notice = failed(problem)
        logger.log(level: notice.isLogged ? .error : .debug, event, metadata: metadata)
    }

    /// A part of a link works; logged where it did not before.
    package func works(
        _ link: Link,
        _ subject: String? = nil,
        logging event: Logger.Message,
        to logger: Logger
    ) {
        guard let lasted = works(link, subject) else { return }
        logger.notice(event, metadata: ["seconds": .stringConvertible(lasted / .seconds(1))])
    }
}
