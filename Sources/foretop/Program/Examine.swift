// foretop examine: the program starts itself with this hidden command to open files that it did not write.
import ArgumentParser
import Corpus
import Glibc
import Run
import RunFile

struct Examine: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Examines files for another process of foretop.", shouldDisplay: false)

  /// The command line with which the program starts itself.
  static let command = ["/proc/self/exe", "examine"]

  func run() throws { Self.serve() }

  /// Examines the files that are asked for on standard input, and ends.
  static func serve() -> Never {
    SandboxAnswer.serve { record in
      // Only the content of a model file shows its kind.
      let kind = record.kind.isEmpty ? Tokenizer.kind(ofModelFile: record.model).rawValue : record.kind
      let tokenizer = try Tokenizer(kind: kind, model: record.model)
      guard record.vocabulary == 0 || record.vocabulary == tokenizer.vocabulary else {
        throw UserError(
          .data,
          "the stored tokenizer has \(tokenizer.vocabulary) tokens, but claims \(record.vocabulary)")
      }
      // Some damage shows only when text is tokenized.
      let tokens = tokenizer.tokens(of: text)
      _ = tokenizer.bytes(of: tokens)
      for token in 0..<Int32(min(tokenizer.vocabulary, 1 << 16)) { _ = tokenizer.visible(token) }
    }
    // Whoever asked waits for the end of this process, and the libraries take their time to close.
    _exit(0)
  }

  /// A text with every byte, and words of several scripts.
  private static var text: [UInt8] {
    Array(0...255) + Array("In the beginning, ½ ﬁ Å — 한국어 ελληνικά\n\t end".utf8)
  }
}
