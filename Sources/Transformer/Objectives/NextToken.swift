// NTP, MTP and any other head for one token: the target of position t is x[t + n], with weight 1; n = 1 is the next token. While
// training, the next token may have further targets beside it, which fade out (see TargetStage).
import Kernels
import Run

package struct NextToken: TargetComputation, Sendable, Equatable {
  /// n.
  package var distance: Int
  /// The name of its unembedding on the trunk; nil for a head with a block of its own and NTP's unembedding.
  package var unembedding: String?
  /// Tokens that NTP's head is trained on at first; 1 is the next one alone.
  package var ahead: Int
  /// Whether a stage can make it something else than plain cross-entropy.
  package var isShaped: Bool
  /// Tokens of a teacher's prediction that are targets too; 0 without a teacher.
  package var teacherTokens: Int

  /// - Parameter unembedding: nil means NTP's for the next token, and a block of its own for one further ahead.
  package init(
    distance: Int = 1, unembedding: String? = nil, ahead: Int = 1, isShaped: Bool = false, teacherTokens: Int = 0
  ) {
    precondition(distance >= 1, "the next token is at distance 1")
    self.distance = distance
    self.ahead = ahead
    self.isShaped = isShaped
    self.teacherTokens = teacherTokens
    self.unembedding = unembedding ?? (distance == 1 ? HeadKind.nextToken.tensorName : nil)
  }

  var ranks: Bool { false }
  /// With room for a prefix token, or for the next one beside a teacher's.
  var capacity: Int { isShaped ? max(ahead, teacherTokens) + 1 : 1 }
  var lookahead: Int { max(distance, ahead) }

  /// The target of position t; nil where it has none.
  private func target(_ t: Int, _ row: TokenRow) -> Int32? {
    guard row.counts(t), t + distance < row.count, !(t..<t + distance).contains(where: { row.endsDocument($0) }) else {
      return nil
    }
    let next = row.tokens[t + distance]
    return next >= 0 ? next : nil
  }

  func fill(
    _ targets: SparseTargets, entropy: UnsafeMutablePointer<Float>, row: TokenRow, stage: TargetStage?
  ) {
    let shaped = isShaped ? stage.flatMap { $0.isPlain(ahead: ahead) ? nil : $0 } : nil
    for t in 0..<row.context {
      entropy[t] = 0
      if let tails = targets.tails { (tails[2 * t], tails[2 * t + 1]) = (0, 0) }
      guard let next = target(t, row) else {
        targets.counts[t] = 0
        continue
      }
      targets.tokens[t * targets.capacity] = next
      targets.weights[t * targets.capacity] = 1
      targets.counts[t] = 1
      guard let shaped else { continue }
      addTargets(targets.from(t), t, row, next, shaped)
      if shaped.teacher > 0, let teacher = row.teacher?.from(t) {
        addTeacher(targets.from(t), teacher, next, weight: shaped.teacher)
      }
    }
  }

  /// Mixes a teacher's prediction q into the next token's weight of 1: (1 − w) e + w q (SALT, arXiv 2410.18779). What q leaves of 1 lies
  /// on all tokens together that q does not name.
  private func addTeacher(_ targets: SparseTargets, _ teacher: TokenRows.TeacherView, _ next: Int32, weight w: Float) {
    targets.weights[0] = 1 - w
    var count = 1
    var rest: Float = 1
    var isNamed = false
    for k in 0..<min(teacher.count, teacherTokens) {
      let (token, q) = (teacher.tokens[k], teacher.weights[k])
      rest -= q
      if token == next {
        targets.weights[0] += w * q
        isNamed = true
      } else {
        targets.tokens[count] = token
        targets.weights[count] = w * q
        count += 1
      }
    }
    targets.counts[0] = Int32(count)
    guard let tails = targets.tails else { return }
    (tails[0], tails[1]) = (w * max(0, rest), isNamed ? 0 : 1)
  }

  /// Adds what a stage has beside the next token. A token that comes twice has both weights.
  private func addTargets(_ targets: SparseTargets, _ t: Int, _ row: TokenRow, _ next: Int32, _ stage: TargetStage) {
    var count = 1
    func add(_ token: Int32, _ weight: Float) {
      guard weight > 0 else { return }
      for k in 0..<count where targets.tokens[k] == token {
        targets.weights[k] += weight
        return
      }
      targets.tokens[count] = token
      targets.weights[count] = weight
      count += 1
    }
    for d in Swift.stride(from: 2, through: ahead, by: 1) {
      let place = t + d
      guard place < row.count, row.tokens[place] >= 0, !row.endsDocument(place - 1) else { break }
      add(row.tokens[place], stage.weight(ofDistance: d, of: ahead))
    }
    if stage.prefixWeight > 0, stage.prefixes[Int(next)] >= 0 { add(stage.prefixes[Int(next)], stage.prefixWeight) }
    targets.counts[0] = Int32(count)
    guard stage.isMean else { return }
    var sum: Float = 0
    for k in 0..<count { sum += targets.weights[k] }
    for k in 0..<count { targets.weights[k] /= sum }
  }

  func positions(in row: TokenRow) -> Int { (0..<row.context).count { target($0, row) != nil } }
}
