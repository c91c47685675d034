import Messaging

// What the management plugin answers, with its own names.

extension ManagementAPI {
    package struct Overview: Decodable { package var rabbitmq_version: String }

    package struct Queue: Decodable {
        struct Consumer: Decodable {
            struct Channel: Decodable { var connection_name: String }
            var channel_details: Channel
            var arguments: Arguments?

            var priority: Int64? {
                if case .integer(let value) = arguments?.values["x-priority"] { value } else { nil }
            }
        }

        package var type: String?
        package var state: String?
        package var node: String?
        package var durable: Bool?
        package var auto_delete: Bool?
        var messages_unacknowledged: Int?
        package var arguments: Arguments?
        package var effective_policy_definition: Arguments?
        var consumer_details: [Consumer]?
    }

    struct Connection: Decodable {
        var name: String
        var user_provided_name: String?
    }

    package struct Binding: Decodable {
        package var destination: String
        package var routing_key: String
    }

    package struct Node: Decodable {
        package var name: String
        package var mem_alarm: Bool?
        package var disk_free_alarm: Bool?
        /// Nodes that it has parted from.
        package var partitions: [String]?
    }

    /// A table of scalars; an empty one may come as an empty list.
    package struct Arguments: Decodable {
        private struct Scalar: Decodable {
            var value: HeaderValue?

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let bool = try container.decode(if: Bool.self) {
                    value = .bool(bool)
                } else if let integer = try container.decode(if: Int64.self) {
                    value = .integer(integer)
                } else if let text = try container.decode(if: String.self) {
                    value = .string(text)
                }
            }
        }

        package var values: [String: HeaderValue] = [:]

        package init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let table = try container.decode(if: [String: Scalar].self) {
                values = table.compactMapValues(\.value)
            }
        }
    }
}

extension SingleValueDecodingContainer {
    /// nil for a value of another type.
    fileprivate func decode<Value: Decodable>(if type: Value.Type) throws -> Value? {
        do {
            return try decode(type)
        } catch DecodingError.typeMismatch, DecodingError.dataCorrupted { return nil }
    }
}

extension ManagementAPI {
    /// One that a queue has.
    package struct Consumer: Sendable {
        /// As the connection calls itself, else its address.
        package var connection: String
        package var isAmity: Bool
        /// The broker gives messages to the highest first.
        package var priority: Int64?

        package init(connection: String, isAmity: Bool, priority: Int64? = nil) {
            self.connection = connection
            self.isAmity = isAmity
            self.priority = priority
        }
    }
}
