// Notes and tags of users for a run. In the run's log they are notices with their own keys.

/// A note, or the addition or removal of a tag.
package enum Annotation: String, Sendable, CaseIterable {
  case note, tag, untag

  /// The most bytes of a note, in UTF-8.
  package static let mostBytes = 400
  /// The most bytes of a tag.
  package static let mostTagBytes = 64

  /// Checks a user's text.
  /// - Returns: the text without spaces at its ends.
  /// - Throws: `UserError` with a sentence.
  package func checked(_ text: String) throws -> String {
    let text = text.trimmingSpaces
    func refuse(_ why: String) -> UserError {
      UserError(.usage, "“\(text)” cannot be a \(self == .note ? "note" : "tag"): \(why)")
    }
    guard !text.isEmpty else { throw refuse("it is empty") }
    let most = self == .note ? Self.mostBytes : Self.mostTagBytes
    guard text.utf8.count <= most else {
      throw refuse("it has \(text.utf8.count) bytes, more than \(most)\(self == .note ? ": write several" : "")")
    }
    guard !text.unicodeScalars.contains(where: \.steersTerminals) else {
      throw refuse("it has a line break or another invisible character")
    }
    guard !text.hasForeignBytes else { throw refuse("it has bytes that are not UTF-8") }
    guard self == .note || !text.contains(where: { $0.isWhitespace || $0 == "," }) else {
      throw refuse("a tag is one word without commas, such as seed-study")
    }
    return text
  }
}

extension Occurrence {
  /// The kind of annotation of a log line; nil for a line of the program.
  package var annotation: Annotation? { kind == .notice ? Annotation(rawValue: key) : nil }

  /// A user's note or tag for a run.
  /// - Parameter step: the run's current step.
  package init(_ annotation: Annotation, _ text: String, step: Int, time: Double) {
    self.init(.notice, step: step, time: time, key: annotation.rawValue, actor: .commandLine, text: text)
  }
}

extension [Occurrence] {
  /// The tags after all of these occurrences, in the order in which they were added.
  package var tags: [String] {
    reduce(into: []) { tags, occurrence in
      switch occurrence.annotation {
      case .tag where !tags.contains(occurrence.text): tags.append(occurrence.text)
      case .untag: tags.removeAll { $0 == occurrence.text }
      default: break
      }
    }
  }

  /// The notes among these, oldest first.
  package var notes: [Occurrence] { filter { $0.annotation == .note } }
}
