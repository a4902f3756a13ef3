// The groups and bins by which diagnostics take losses apart: their bounds and their names in every output.

/// A position's group by two tokens: the one it reads and the one it is to predict, each a function token (f) or a content
/// token (c). Function tokens are the most frequent ones, which together make 40 % of the training tokens (arXiv 2510.08203).
package enum TokenGroup: Int, Sendable, CaseIterable {
  case ff, fc, cf, cc

  package init(current isFunction: Bool, next isFunctionNext: Bool) {
    self = isFunction ? (isFunctionNext ? .ff : .fc) : (isFunctionNext ? .cf : .cc)
  }

  /// `fc`: a content token after a function token.
  package var name: String { ["ff", "fc", "cf", "cc"][rawValue] }

  package var words: String {
    [
      "a function token after a function token", "a content token after a function token",
      "a function token after a content token", "a content token after a content token",
    ][rawValue]
  }
}

/// Bins of places in a document: 0, 1, 2–3, 4–7, … A place is the number of tokens of the same document that come before a
/// position in its row, which is what the network sees beside the position itself.
package enum PlaceBin {
  /// The lowest place of each bin that a row of `context` tokens has.
  package static func lowest(context: Int) -> [Int] {
    var bounds = [0]
    var next = 1
    while next < context {
      bounds.append(next)
      next *= 2
    }
    return bounds
  }

  /// The number of a place's bin.
  package static func index(of place: Int) -> Int { place == 0 ? 0 : Int.bitWidth - place.leadingZeroBitCount }
}

/// Bins of tokens by their frequency: the share of the training tokens that they are.
package enum FrequencyBin {
  /// Lower bounds, highest first, with their names.
  package static let all: [(name: String, atLeast: Double)] = [
    ("1e-2", 1e-2), ("1e-3", 1e-3), ("1e-4", 1e-4), ("1e-5", 1e-5), ("rarer", 0),
  ]

  /// The number of a frequency's bin.
  package static func index(of frequency: Double) -> Int {
    all.firstIndex { frequency >= $0.atLeast } ?? all.count - 1
  }
}
