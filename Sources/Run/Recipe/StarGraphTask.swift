// The numbers of the star-graph task (Bachmann & Nagarajan 2024, "The pitfalls of next-token prediction"; section 5.2 of the
// TOP paper): how long a sample is, and how many different graphs there are.
import Foundation

/// G(degree, length): a source with `degree` disjoint branches of `length` nodes each, the source counted. One branch ends in
/// the goal; the task is to write the path from source to goal.
package struct StarGraphTask: Codable, Sendable, Equatable {
  /// Branches that leave the source.
  package var degree = 2
  /// Nodes of a branch, the source included.
  package var length = 4
  /// N: labels that nodes are drawn from, without repetition.
  package var nodes = 8
  /// Samples in a pass; 0 never repeats one.
  package var samples = 0
  /// Samples to evaluate on.
  package var test = 1000
  /// True if the path is written from the goal to the source.
  package var reverse = false

  package init() {}

  /// Edges of a graph: E = degree · (length − 1).
  package var edges: Int { degree * (length - 1) }
  /// Labels that a graph uses.
  package var labels: Int { 1 + edges }
  /// Tokens before the path, from the first edge to `=`: 3E + 3.
  package var prefix: Int { 3 * edges + 3 }
  /// Tokens of a sample: prefix and path.
  package var sampleLength: Int { prefix + length }
  /// Tokens: N labels, `|`, `=`, `/` and a filler.
  package var vocabulary: Int { nodes + 4 }

  /// The natural logarithm of the number of different graphs: N! / (N − labels)! / (degree − 1)!, since the order of the other
  /// branches does not matter.
  package var logGraphs: Double {
    lgamma(Double(nodes) + 1) - lgamma(Double(nodes - labels) + 1) - lgamma(Double(degree))
  }

  /// True if there are so many different graphs, 2^14, that both training and testing have enough.
  package var hasEnoughGraphs: Bool { logGraphs >= 14 * log(2) }

  /// As the paper writes it: `G(2,4)`.
  package var name: String { "G(\(degree),\(length))" }
}
