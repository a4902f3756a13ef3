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
}

/// Where a recipe has the weights of a kind's heads: λ, the factor of the loss in the total.
package enum HeadWeight: Sendable {
  case number(WritableKeyPath<Recipe, Double> & Sendable)
  /// `objective.mtp.weights`: a number a head, from the second on.
  case list
}

/// How the line of a head looks on a chart. Heads differ in pattern and character as well as in colour.
package struct HeadLook: Sendable {
  /// The colours that a theme has for the lines of a chart.
  package enum LineColour: Sendable { case first, second, third, fourth }

  package var colour: LineColour
  /// How many columns of points are drawn, and how many are left out after them; nil is an unbroken line.
  package var dash: (on: Int, off: Int)?
  /// A point of the line on screens that have only characters.
  package var symbol: Character
  /// The line in a legend.
  package var sign: String
  /// A held-out loss.
  package var heldOutSign: Character

  package init(
    colour: LineColour, dash: (on: Int, off: Int)? = nil, symbol: Character, sign: String, heldOutSign: Character
  ) {
    self.colour = colour
    self.dash = dash
    self.symbol = symbol
    self.sign = sign
    self.heldOutSign = heldOutSign
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
    look: HeadLook(colour: .fourth, symbol: "2", sign: "╌", heldOutSign: "2"))

  /// Token order prediction (arXiv 2508.19228, equation 5): the upcoming tokens, ranked by how soon they come.
  package static let tokenOrder = HeadKind(
    name: "top", weightKey: "objective.top", weight: .number(\.objective.top), tensorName: "top_head", target: .order,
    hasFloor: true, ranks: true,
    look: HeadLook(colour: .second, dash: (on: 3, off: 2), symbol: "+", sign: "┅", heldOutSign: "◇"))

  /// The program's rows, in the order of every output. Rows that are added belong at the end.
  package static let own = [nextToken, multiToken, tokenOrder]

  /// Rows that only the current task has after the program's own: tests add heads by these.
  @TaskLocal package static var further: [HeadKind] = []

  /// All rows, in the order of every output.
  package static var all: [HeadKind] { further.isEmpty ? own : own + further }

  /// All possible heads of this kind, by their numbers.
  package var heads: [Head] {
    target == .furtherToken ? (2...Head.most).map { Head(self, number: $0) } : [Head(self)]
  }
}
