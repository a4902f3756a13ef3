// A text that the network generated.

/// Text that the network generated.
package struct TextSample: Codable, Sendable, Equatable {
  package var step: Int
  package var prompt: String
  /// The text after the prompt.
  package var text: String

  package init(step: Int, prompt: String, text: String) {
    self.step = step
    self.prompt = prompt
    self.text = text
  }
}
