import WorkerRuntime

// What the management plugin answers, with its own names.

extension ManagementAPI {
    struct Overview: Decodable { var rabbitmq_version: String }

    struct Queue: Decodable {
        struct Consumer: Decodable {
            struct Channel: Decodable { var connection_name: String }
            var channel_details: Channel
            var arguments: Arguments?

            var priority: Int64? {
                if case .integer(let value) = arguments?.values["x-priority"] { value } else { nil }
            }
        }

        var type: String?
        var state: String?
        var node: String?
        var durable: Bool?
        var auto_delete: Bool?
        var messages_unacknowledged: Int?
        var arguments: Arguments?
        var effective_policy_definition: Arguments?
        var consumer_details: [Consumer]?
    }

    struct Connection: Decodable {
        var name: String
        var user_provided_name: String?
    }

    struct Binding: Decodable {
        var destination: String
        var routing_key: String
    }

    struct Node: Decodable {
        var name: String
        var mem_alarm: Bool?
        var disk_free_alarm: Bool?
    }

    /// A table of scalars; an empty one may come as an empty list.
    struct Arguments: Decodable {
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

        var values: [String: HeaderValue] = [:]

        init(from decoder: any Decoder) throws {
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
