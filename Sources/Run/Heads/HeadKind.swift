// The table of prediction heads, a row each. Recipes, losses, metric columns, JSON, charts, checkpoints, exports, imports
// and plans are made from it: another head is one more row here, and one that predicts something new is also one more file
// in Transformer/Objectives.

/// What a head is trained to predict. From this follow how many tokens it looks ahead and how many targets a position can
/// have: both are with the computation, in Transformer/Objectives.
package enum HeadTarget: Sendable, Equatable {
  /// The token at a distance of its position, 1 being the next, by an unembedding of its own on the trunk.
  case token(ahead: Int)
  /// The token at a distance that is the head's number, by a block of its own and NTP's unembedding.
  case furtherToken
  /// The order of upcoming tokens, by an unembedding of its own on the trunk.
  case order
  /// All tokens that follow, the nearer the heavier, by an unembedding of its own on the trunk.
  case discountedFuture
  /// Which tokens come in a window after the next one, by an unembedding of its own on the trunk.
  case bag
  /// The token at a distance that is the head's number, from the trunk's state and the tokens in between, by NTP's unembedding.
  case jointToken
}

/// Where a recipe has the weights of a kind's heads: λ, the factor of the loss in the total.
package enum HeadWeight: Sendable {
  case number(WritableKeyPath<Recipe, Double> & Sendable)
  /// `objective.mtp.weights`: a number a head, from the second on.
  case list
  /// One number, of which each head of the kind has an equal part.
  case shared(WritableKeyPath<Recipe, Double> & Sendable, among: KeyPath<Recipe, Int> & Sendable)
}

/// How the line of a head looks on a chart. Heads differ in pattern and character as well as in colour.
package struct HeadLook: Sendable {
  /// The colours that a theme has for the lines of a chart.
  package enum LineColour: Sendable { case first, second, third, fourth }

  /// How the heads of a numbered kind are told apart in one cell.
  package enum NumberMarks: Sendable {
    /// 2 to 9, then a to g for 10 to 16.
    case digits
    /// B for 2, C for 3, …
    case letters

    func mark(of number: Int) -> Character {
      switch self {
      case .digits: Character(String(number, radix: 17))
      case .letters: Character(Unicode.Scalar(UInt8(64 + number)))
      }
    }
  }

  package var colour: LineColour
  /// A step of the colour away from its own, for lines that share one.
  package var tone = 0
  /// How many columns of points are drawn, and how many are left out after them; nil is an unbroken line.
  package var dash: (on: Int, off: Int)?
  /// A point of the line on screens that have only characters.
  package var symbol: Character
  /// The line in a legend.
  package var sign: String
  /// A held-out loss.
  package var heldOutSign: Character
  /// The marks of a numbered kind's heads, which stand for `symbol`, `sign` and `heldOutSign`.
  package var marks = NumberMarks.digits

  /// The look of the kind's head with this number.
  func numbered(_ number: Int) -> HeadLook {
    var look = self
    look.symbol = marks.mark(of: number)
    look.heldOutSign = look.symbol
    look.sign = String(look.symbol)
    return look
  }
}

extension HeadLook {
  /// The look of a numbered kind, whose heads are marked by their numbers.
  package init(colour: LineColour, marks: NumberMarks) {
    self.init(colour: colour, symbol: marks.mark(of: 2), sign: "", heldOutSign: marks.mark(of: 2))
    self.marks = marks
  }
}

/// A kind of prediction head: a row of the table. An object, since every loss of every step refers to its kind.
package final class HeadKind: Sendable {
  /// The same in recipes, charts, JSON and run files. Where a kind has several heads, a head's number follows: `mtp-2`.
  package let name: String
  /// The recipe's key of its weight.
  package let weightKey: String
  package let weight: HeadWeight
  /// The name of its unembedding in checkpoints; nil where it shares NTP's.
  package let tensorName: String?
  package let target: HeadTarget
  /// True if the loss has a floor above zero (the entropy of its targets), so that its KL divergence is reported, too.
  package let hasFloor: Bool
  /// True if the head predicts an order of tokens, whose ranking is measured; other heads predict one token, whose
  /// accuracy is measured.
  package let ranks: Bool
  package let look: HeadLook

  package init(
    name: String, weightKey: String, weight: HeadWeight, tensorName: String?, target: HeadTarget,
    hasFloor: Bool = false,
    ranks: Bool = false, look: HeadLook
  ) {
    self.name = name
    self.weightKey = weightKey
    self.weight = weight
    self.tensorName = tensorName
    self.target = target
    self.hasFloor = hasFloor
    self.ranks = ranks
    self.look = look
  }

  /// A kind with one head, whose unembedding `NAME_head` is on the trunk. Its weight, the recipe's key `objective.NAME`, is
  /// 0 by default: neither the recipe nor its keys need a change for such a row.
  package convenience init(
    onTrunk name: String, target: HeadTarget, hasFloor: Bool = false, ranks: Bool = false, look: HeadLook
  ) {
    self.init(
      name: name, weightKey: "objective.\(name)", weight: .number(\.objective[other: name]),
      tensorName: "\(name)_head", target: target, hasFloor: hasFloor, ranks: ranks, look: look)
  }

  /// The next token: cross-entropy at x[t+1]. This head is the one used for generation.
  package static let nextToken = HeadKind(
    name: "ntp", weightKey: "objective.ntp", weight: .number(\.objective.ntp), tensorName: "lm_head",
    target: .token(ahead: 1), look: HeadLook(colour: .first, symbol: "*", sign: "━", heldOutSign: "○"))

  /// Multi-token prediction: cross-entropy at x[t+n], n = 2, 3, … For n = 1 that is `nextToken`.
  package static let multiToken = HeadKind(
    name: "mtp", weightKey: "objective.mtp.weights", weight: .list, tensorName: nil, target: .furtherToken,
    look: HeadLook(colour: .fourth, marks: .digits))

  /// Token order prediction (arXiv 2508.19228, equation 5): the upcoming tokens, ranked by how soon they come.
  package static let tokenOrder = HeadKind(
    name: "top", weightKey: "objective.top", weight: .number(\.objective.top), tensorName: "top_head", target: .order,
    hasFloor: true, ranks: true,
    look: HeadLook(colour: .second, dash: (on: 3, off: 2), symbol: "+", sign: "┅", heldOutSign: "◇"))

  /// All that follows, with weights that fall by `objective.discount` from token to token (TokenUnify's next-all, arXiv 2405.16847).
  package static let discountedFuture = HeadKind(
    onTrunk: "future", target: .discountedFuture,
    look: HeadLook(colour: .fourth, dash: (on: 1, off: 1), symbol: "~", sign: "┄", heldOutSign: "□"))

  /// The bag of the tokens in `objective.bagWindow` (FSP-BoW, arXiv 2510.14751).
  package static let bag = HeadKind(
    onTrunk: "bag", target: .bag,
    look: HeadLook(colour: .second, tone: 2, dash: (on: 1, off: 2), symbol: "#", sign: "┈", heldOutSign: "▽"))

  /// Joint multi-token prediction (arXiv 2503.21801): x[t+n] from the state at t and the tokens up to x[t+n−1], n = 2, 3, …
  package static let jointToken = HeadKind(
    name: "jtp", weightKey: "objective.jtp.weight",
    weight: .shared(\.objective.jtp.weight, among: \.objective.jtp.tokens), tensorName: nil, target: .jointToken,
    look: HeadLook(colour: .first, marks: .letters))

  /// The program's rows, in the order of every output. Rows that are added belong at the end.
  package static let own = [nextToken, multiToken, tokenOrder, discountedFuture, bag, jointToken]

  /// Rows that only the current task has after the program's own: tests add heads by these.
  @TaskLocal package static var further: [HeadKind] = []

  /// All rows, in the order of every output.
  package static var all: [HeadKind] { further.isEmpty ? own : own + further }

  /// All possible heads of this kind, by their numbers.
  package var heads: [Head] {
    switch target {
    case .furtherToken: (2...Head.most).map { Head(self, number: $0) }
    case .jointToken: (2...1 + Recipe.JointTokenSettings.most).map { Head(self, number: $0) }
    case .token, .order, .discountedFuture, .bag: [Head(self)]
    }
  }

  /// True if the kind's heads have numbers: the distances of the tokens that they predict.
  package var isNumbered: Bool { target == .furtherToken || target == .jointToken }
}
