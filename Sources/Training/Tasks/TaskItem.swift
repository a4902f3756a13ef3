// A question of a task: a context, its possible continuations, and the right one.
import Run

/// A question that a network answers by its log-likelihoods of the continuations of a context.
package struct TaskItem: Sendable, Equatable {
  /// The kind of answer.
  package enum Answer: Sendable, Equatable {
    /// The index of the right continuation.
    case choice(Int)
    /// A single continuation, which is right if each of its tokens is the likeliest. Its perplexity counts, too.
    case word
  }

  /// The question's line in the file, from 1.
  package var line: Int
  package var context: String
  /// The continuations, with the space before them.
  package var continuations: [String]
  /// The length of each continuation without that space, in Unicode scalars; normalised log-likelihoods are divided by it.
  package var lengths: [Int]
  package var answer: Answer

  /// A question with several continuations, joined to the context by a space, as lm-evaluation-harness does.
  /// - Parameter joins: true if a context that ends with white space needs no space.
  init(line: Int, context: String, choices: [String], answer: Int, joins: Bool = false) {
    self.line = line
    self.context = context
    let gap = joins && context.unicodeScalars.last.map(\.isPythonSpace) ?? true ? "" : " "
    continuations = choices.map { gap + $0 }
    lengths = choices.map(\.unicodeScalars.count)
    self.answer = .choice(answer)
  }

  /// A question for a last word.
  init(line: Int, context: String, word: String, joins: Bool = false) {
    self.init(line: line, context: context, choices: [word], answer: 0, joins: joins)
    answer = .word
  }
}

extension Unicode.Scalar {
  /// True for scalars that Python's `str.strip` removes, as lm-evaluation-harness does.
  var isPythonSpace: Bool { properties.isWhitespace || (0x1C...0x1F).contains(value) }
}

extension String {
  /// Without white space at its ends.
  var pythonStripped: String { String(String.UnicodeScalarView(Array(unicodeScalars).trimmed { $0.isPythonSpace })) }
}

extension [Unicode.Scalar] {
  fileprivate func trimmed(_ isSpace: (Unicode.Scalar) -> Bool) -> [Unicode.Scalar] {
    guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) }) else {
      return []
    }
    return Array(self[first...last])
  }
}
