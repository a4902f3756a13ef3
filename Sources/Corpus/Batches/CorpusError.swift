// What can be wrong with a text, a tokenizer or the cache, told in a sentence.
import Run

/// An error in the user's text, token file or tokenizer. `description` names the fault, the place, and the next action.
package struct CorpusError: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Cause: Sendable, Equatable {
    /// No such file or folder.
    case missing
    /// A file or folder is there and cannot be read, or changed while it was read.
    case unreadable
    /// A file that is being read was written to, cut short or replaced in place since it was examined.
    case changed
    /// A file without a byte, or a folder without text.
    case empty
    /// Fewer tokens than one window needs.
    case tooShort
    /// A text that this kind of tokenizer cannot take.
    case badText
    /// A tokenizer model that is damaged or no tokenizer model.
    case badTokenizer
    /// A value of a recipe key cannot be had with this text.
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
