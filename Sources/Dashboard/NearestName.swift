// The right name nearest to a wrong one, for error messages.

/// The candidate with the fewest single-letter changes from `name`; nil when none is similar.
func nearestName(to name: String, among candidates: [String]) -> String? {
  let best = candidates.min { distance($0, name) < distance($1, name) }
  return best.flatMap { distance($0, name) <= max(2, name.count / 2) ? $0 : nil }
}

/// Levenshtein's distance.
private func distance(_ one: String, _ other: String) -> Int {
  let (a, b) = (Array(one.lowercased()), Array(other.lowercased()))
  var row = Array(0...b.count)
  for i in a.indices {
    var diagonal = row[0]
    row[0] = i + 1
    for j in b.indices {
      let substitution = diagonal + (a[i] == b[j] ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(substitution, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[b.count]
}
