import Testing

@testable import Documents

struct ConversionTests {
    @Test(arguments: [
        ("<p>One</p><p>Two<br>three</p>", "One\n\nTwo\nthree"),
        (
            "<html><head><title>T</title><style>p{}</style></head><body> a  b\n c</body>",
            "T\n\na b c"
        ),
        ("a<script>if (a < b) '</p>'</script>b<SCRIPT>x</SCRIPT >c", "abc"),
        ("a<!-- <p> --> b", "a b"), ("<a href='x>y' title=\"a>b\">c</a>", "c"),
        ("1 < 2 && 3 > 2", "1 < 2 && 3 > 2"),
        ("&lt;p&gt;&amp;lt; &#228;&#xE4;&auml;", "<p>&lt; äää"),
        ("a&nbsp;&nbsp;b &unknown; &", "a b &unknown; &"), ("&#0;&#xD800;", "&#0;&#xD800;"),
        ("<ul><li>a<li>b</ul><table><tr><td>1<td>2<tr><td>3</table>", "a\nb\n\n1 2\n3"),
        ("<!DOCTYPE html><?xml?>x", "x"), ("<script>never ends", ""), ("a<b", "a"), ("<", "<"),
        ("", ""), ("<p it's>a</p>b", "a\n\nb"), ("fünf <b>Stück</b>", "fünf Stück"),
    ])
    func htmlBecomesText(source: String, text: String) {
        #expect(DocumentFormat.html.text(of: source) == text)
    }

    @Test(arguments: [
        ("# Title #1\n\nText", "Title #1\n\nText"), ("#hash", "#hash"), ("> > quoted", "quoted"),
        ("a **bold** and *light* `code` ~~no~~", "a bold and light code no"),
        ("2 * 3 and snake_case and __init__", "2 * 3 and snake_case and init"),
        ("[a **b**](http://x) ![c](d.png) [e]", "a b c [e]"), ("\\*x\\*", "*x*"),
        ("```swift\nlet a = b*c*d\n```\ny", "let a = b*c*d\ny"),
        ("---\ntitle: x\n---\ny", "y"), ("- one\n- two", "- one\n- two"), ("", ""), ("*", "*"),
    ])
    func markdownBecomesText(source: String, text: String) {
        #expect(DocumentFormat.markdown.text(of: source) == text)
    }

    @Test(arguments: [
        ("a.txt", DocumentFormat.text), ("b/a.MD", .markdown), ("a.b.html", .html),
        ("a.pdf", .pdf), ("a.docx", nil), ("a", nil), ("a.", nil),
    ])
    func theNameSaysTheFormat(path: String, format: DocumentFormat?) {
        #expect(DocumentFormat(path: path) == format)
    }
}
