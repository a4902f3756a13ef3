// Which right name was meant by a wrong one.

extension Sequence<String> {
  /// The name that takes the fewest edits to reach from `name`; nil where none is near enough to be what was meant.
  package func nearest(to name: String) -> String? {
    // Nobody means a word by a page of text: every edit takes a row as long as both.
    guard name.utf8.count <= longestWrongName else { return nil }
    let wrong = Array(name.lowercased())
    // Two edits make any short word of any other.
    let limit = wrong.count < 5 ? 1 : Swift.max(2, wrong.count / 3)
    var best: (name: String, edits: Int)?
    for candidate in self {
      let right = Array(candidate.lowercased())
      // A difference in length takes as many edits.
      guard abs(right.count - wrong.count) <= limit else { continue }
      let edits = edits(from: wrong, to: right)
      if edits <= limit && edits < best?.edits ?? .max { best = (candidate, edits) }
    }
    return best?.name
  }
}

/// Bytes of the longest wrong name that a right one is looked for.
private let longestWrongName = 1000

/// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
private func edits(from a: [Character], to b: [Character]) -> Int {
  var beforePrevious: [Int] = []
  var previous = Array(0...b.count)
  for i in a.indices {
    var row = [i + 1]
    for j in b.indices {
      var cost = Swift.min(row[j] + 1, previous[j + 1] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = Swift.min(cost, beforePrevious[j - 1] + 1) }
      row.append(cost)
    }
    (beforePrevious, previous) = (previous, row)
  }
  return previous[b.count]
}
