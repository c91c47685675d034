/// Semantic version of the daemon; told to the broker and by `amity --version`.
package let amityVersion = "0.2.0"
