// Errors of texts, tokenizers and the cache.
import Run

/// An error in the user's text, token file or tokenizer. `description` names the fault, the place, and the next action.
package struct CorpusError: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Cause: Sendable, Equatable {
    /// No such file or folder.
    case missing
    /// A file or folder exists but cannot be read, or changed while it was read.
    case unreadable
    /// A file was written to, truncated or overwritten since it was opened.
    case changed
    /// An empty file, or a folder without text.
    case empty
    /// Fewer tokens than one window needs.
    case tooShort
    /// A text that this kind of tokenizer cannot take.
    case badText
    /// A file that is not a tokenizer model, or is a damaged one.
    case badTokenizer
    /// A file that has no teacher's predictions, or is a damaged one.
    case badTeacher
    /// A recipe key has a value that is impossible with this text.
    case usage
    /// A file in the cache folder cannot be written.
    case cannotWriteCache
  }

  package var kind: Cause
  package var description: String

  package init(_ kind: Cause, _ description: String) {
    self.kind = kind
    self.description = description.showingFileNames
  }
}
