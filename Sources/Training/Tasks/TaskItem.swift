// One question of a task: a context, what may follow, and which of it is right.
import Run

/// A question that a network answers by the log-likelihoods that it gives what may follow a context.
package struct TaskItem: Sendable, Equatable {
  /// How it counts.
  package enum Answer: Sendable, Equatable {
    /// Which of several continuations is right.
    case choice(Int)
    /// The only continuation: right if every token of it is the likeliest one. Its perplexity counts too.
    case word
  }

  /// The line of the file that it is from, from 1.
  package var line: Int
  package var context: String
  /// What may follow, with the space before it.
  package var continuations: [String]
  /// Characters (Unicode scalars) of each continuation without that space: what log-likelihoods are divided by where they are
  /// normalised for length.
  package var lengths: [Int]
  package var answer: Answer

  /// One of several continuations, put after the context with a space, as lm-evaluation-harness does.
  /// - Parameter joins: whether a context that ends with white space needs none.
  init(line: Int, context: String, choices: [String], answer: Int, joins: Bool = false) {
    self.line = line
    self.context = context
    let gap = joins && context.unicodeScalars.last.map(\.isPythonSpace) ?? true ? "" : " "
    continuations = choices.map { gap + $0 }
    lengths = choices.map(\.unicodeScalars.count)
    self.answer = .choice(answer)
  }

  /// A last word.
  init(line: Int, context: String, word: String, joins: Bool = false) {
    self.init(line: line, context: context, choices: [word], answer: 0, joins: joins)
    answer = .word
  }
}

extension Unicode.Scalar {
  /// What Python's `str.strip` takes away: lm-evaluation-harness does.
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
