import Hummingbird
import HummingbirdCore

extension Request {
    /// The parameters of its query, with `+` for a space, as forms and most clients write them. A
    /// plus comes as `%2B`.
    package var form: [(name: String, value: String)] {
        let query = uri.query?.replacing("+", with: "%20") ?? ""
        // With a path before it: else "://" within a value is taken for a scheme.
        return URI("/?\(query)").queryParameters.map { (String($0.key), String($0.value)) }
    }

    package func form(_ name: String) -> String? { form.first { $0.name == name }?.value }
}
