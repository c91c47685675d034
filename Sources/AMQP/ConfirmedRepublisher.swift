import Messaging

/// Settles the original once the broker has confirmed its copy.
package struct ConfirmedRepublisher: Republisher {
    private let publisher: Publisher
    private let consumer: Consumer

    package init(publisher: Publisher, consumer: Consumer) {
        self.publisher = publisher
        self.consumer = consumer
    }

    package func republish(
        _ message: Message,
        about subject: String?,
        to queue: String,
        replacing original: DeliveryID
    ) {
        publisher.publish(
            message,
            about: subject,
            routingKey: queue,
            // When the original's session is lost, the broker delivers it again, and it gets a new
            // copy.
            isWanted: { consumer.isCurrent(original) },
            completion: { result in
                switch result {
                case .confirmed:
                    consumer.completions.post(.init(id: original, settlement: .ack))
                case .returned, .refused, .abandoned:
                    consumer.completions.post(.init(id: original, settlement: .requeue))
                }
            }
        )
    }
}
