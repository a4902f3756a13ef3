// A star graph as lines for a panel: its branches, the true path and the path that the network wrote.
import Run
import TerminalUI

/// A graph, parsed from the text of a sample: `3 5 |3 1 /3 1 =` and the path after it.
struct StarGraphPicture: Equatable {
  let source: Int
  let goal: Int
  /// The nodes of each branch without the source. The branch to the goal comes first, the others in the order of their last
  /// nodes.
  let branches: [[Int]]
  /// The path that the network wrote.
  let written: [Int]
  /// The true path.
  let path: [Int]

  /// Nil if the text is not a graph.
  /// - Parameter isReversed: true if paths are written from the goal to the source.
  init?(prompt: String, text: String, isReversed: Bool) {
    let parts = prompt.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    func nodes(_ text: some StringProtocol) -> [Int] {
      text.split { !$0.isNumber }.compactMap { Int($0) }
    }
    let edges = parts[0].split(separator: "|").map { nodes($0) }
    let question = nodes(parts[1])
    guard question.count == 2, edges.allSatisfy({ $0.count == 2 }) else { return nil }
    (source, goal) = (question[0], question[1])
    // Every node except the source has one parent.
    let parents = Dictionary(edges.map { ($0[1], $0[0]) }) { first, _ in first }
    let ends = edges.map { $0[1] }.filter { end in !edges.contains { $0[0] == end } }
    var branches: [[Int]] = []
    for end in ends.sorted() {
      var branch = [end]
      while let parent = parents[branch[0]], parent != question[0] {
        guard branch.count <= edges.count else { return nil }
        branch.insert(parent, at: 0)
      }
      branches.append(branch)
    }
    guard let right = branches.firstIndex(where: { $0.last == question[1] }) else { return nil }
    let branch = branches.remove(at: right)
    self.branches = [branch] + branches
    let forward = [question[0]] + branch
    path = isReversed ? forward.reversed() : forward
    written = nodes(text.prefix { $0 != "(" })
  }

  var isRight: Bool { written == path }

  /// The lines for a panel: one per branch, then the two paths.
  var lines: [[Span]] {
    var lines = branches.enumerated().map { index, branch -> [Span] in
      var spans = [Span("\(source)", .bold)]
      for node in branch {
        spans.append(Span(" → ", .faint))
        spans.append(Span("\(node)", style(of: node, isTrue: index == 0)))
      }
      return branch.last == goal ? spans + [Span("  goal", .accent)] : spans
    }
    lines.append([])
    lines.append([Span("path     ", .faint), Span(path.map(String.init).joined(separator: " "), .bold)])
    var own = [Span("written  ", .faint)]
    for (place, node) in written.enumerated() {
      let isHit = path.indices.contains(place) && path[place] == node
      own.append(Span("\(node) ", Style(isHit ? .good : .bad, .bold)))
    }
    own.append(Span(isRight ? " ✓" : " ✗", Style(isRight ? .good : .bad, .bold)))
    lines.append(own)
    return lines
  }

  /// Nodes of the true path are bold; the colour of a node that the network wrote says whether it is right.
  private func style(of node: Int, isTrue: Bool) -> Style {
    guard written.contains(node) else { return isTrue ? .bold : .faint }
    return Style(isTrue ? .good : .bad, .bold)
  }
}

extension Dashboard {
  /// The graph of the newest sample; nil for text, and before the first sample.
  var graphPicture: StarGraphPicture? {
    guard let recipe = beginning?.recipe, recipe.data.kind == .stargraph, let text else { return nil }
    return StarGraphPicture(prompt: text.prompt, text: text.text, isReversed: recipe.data.graph.reverse)
  }

  /// Draws as many lines of the graph as there are rows.
  /// - Returns: the number of rows used.
  func draw(_ graph: StarGraphPicture, in inside: Rectangle, on canvas: inout Canvas) -> Int {
    // With few rows the paths matter most.
    let lines = graph.lines
    let shown = lines.count <= inside.rows ? lines : Array(lines.suffix(2) + lines.prefix(max(inside.rows - 2, 0)))
    for (index, line) in shown.prefix(inside.rows).enumerated() { canvas.write(line, line: index, of: inside) }
    return min(shown.count, inside.rows)
  }
}
