import Foundation
import TestSupport
import Testing

/// `openapi.json`, and whether an answer is as it says. Of JSON Schema it knows what stands there.
struct APIDescription {
    private let root: [String: Any]

    static var shared: APIDescription { APIDescription() }

    private init() {
        do {
            let url = Servers.root.appending(path: "Sources/API/openapi.json")
            let json = try JSONSerialization.jsonObject(with: try Data(contentsOf: url))
            root = json as? [String: Any] ?? [:]
        } catch {
            preconditionFailure("openapi.json is not read: \(error)")
        }
    }

    /// Paths with their methods, as they stand there.
    var operations: [(path: String, method: String)] {
        paths.flatMap { path, item in
            resolved(item).keys.filter { $0 != "parameters" }.map { (path, $0) }
        }
    }

    private var paths: [String: [String: Any]] { root["paths"] as? [String: [String: Any]] ?? [:] }

    /// What is not as described; nil for nothing.
    func objection(to answer: RawAnswer, of method: String, _ path: String) -> String? {
        let path = String(path.prefix { $0 != "?" })
        guard let item = item(of: path),
            let operation = item[method.lowercased()] as? [String: Any]
        else { return answer.status == 405 || answer.status == 404 ? nil : "no such operation" }
        let responses = operation["responses"] as? [String: [String: Any]] ?? [:]
        guard let response = responses["\(answer.status)"].map(resolved) else {
            return "status \(answer.status) is not described"
        }
        for header in (response["headers"] as? [String: Any] ?? [:]).keys
        where answer.header(header).isEmpty {
            return "the header \(header) is missing"
        }
        if response["content"] == nil, answer.body.isEmpty { return nil }
        let type = (answer.header("Content-Type").first ?? "").prefix { $0 != ";" }
        let content = response["content"] as? [String: [String: Any]] ?? [:]
        guard let media = content[String(type)] else { return "\(type) is not described" }
        guard let schema = media["schema"] as? [String: Any] else { return nil }
        do {
            let value = try JSONSerialization.jsonObject(
                with: Data(answer.body.utf8),
                options: .fragmentsAllowed
            )
            return objection(to: value, schema, "")
        } catch {
            return "the body is no JSON"
        }
    }

    private func item(of path: String) -> [String: Any]? {
        if let item = paths[path] { return resolved(item) }
        let parts = path.split(separator: "/")
        let found = paths.first { template, _ in
            let names = template.split(separator: "/")
            return names.count == parts.count
                && zip(names, parts).allSatisfy { $0 == $1 || $0.hasPrefix("{") }
        }
        return found.map { resolved($0.value) }
    }

    private func resolved(_ value: [String: Any]) -> [String: Any] {
        guard let reference = value["$ref"] as? String else { return value }
        var found: Any? = root
        for part in reference.split(separator: "/").dropFirst() {
            found = (found as? [String: Any])?[String(part)]
        }
        return found as? [String: Any] ?? [:]
    }

    private func objection(to value: Any, _ schema: [String: Any], _ place: String) -> String? {
        let schema = resolved(schema)
        if let types = schema["type"] as? [String] ?? (schema["type"] as? String).map({ [$0] }),
            !types.contains(where: { Self.is(value, $0) })
        {
            return "\(place) is no \(types.joined(separator: " or "))"
        }
        let text = value as? String
        if let names = schema["enum"] as? [String], !names.contains(text ?? "") {
            return "\(place) is none of its values"
        }
        if let constant = schema["const"] as? NSObject, constant != value as? NSObject {
            return "\(place) is not its value"
        }
        if let list = value as? [Any], let items = schema["items"] as? [String: Any] {
            for (index, element) in list.enumerated() {
                if let found = objection(to: element, items, "\(place)/\(index)") { return found }
            }
        }
        guard let object = value as? [String: Any] else { return nil }
        for name in schema["required"] as? [String] ?? [] where object[name] == nil {
            return "\(place)/\(name) is missing"
        }
        let properties = schema["properties"] as? [String: [String: Any]] ?? [:]
        for (name, member) in object {
            guard let property = properties[name] else {
                if schema["additionalProperties"] as? Bool == false {
                    return "\(place)/\(name) is not described"
                }
                continue
            }
            if let found = objection(to: member, property, "\(place)/\(name)") { return found }
        }
        return nil
    }

    private static func `is`(_ value: Any, _ type: String) -> Bool {
        switch type {
        case "object": value is [String: Any]
        case "array": value is [Any]
        case "string": value is String
        case "null": value is NSNull
        case "boolean": (value as? NSNumber).map { "\($0.objCType.pointee)" == "99" } ?? false
        case "integer":
            (value as? NSNumber).map { $0.doubleValue.rounded() == $0.doubleValue } ?? false
        case "number": value is NSNumber
        case _: false
        }
    }
}
