// The tensors screen: the tree of a checkpoint with differences from another checkpoint, and the chosen tensor in detail.
import Run
import TerminalUI

/// The tensors screen.
package struct TensorsScreen: Sendable, KeyedScreen {
  enum TensorsAction: Hashable, Sendable {
    case up, down, pageUp, pageDown, first, last, fold, unfold
    case earlier, later, otherEarlier, otherLater, sort, filter, whole
    case palette, glyphs, help, leave, redraw
  }

  /// A request of the screen to read from checkpoints.
  package enum TensorsReading: Sendable, Equatable {
    /// All tensors at a step (nil: the newest) and at another step.
    case tree(step: Int?, against: Int?)
    case detail(path: String, step: Int)
    /// The detail of a tensor in a checkpoint.
    case moment(path: String, step: Int)
  }

  /// The column by which tensors are sorted.
  enum TensorOrder: String, Sendable, CaseIterable { case tree, norm, deviation, difference, cosine }

  /// A line of the list.
  struct TreeLine: Sendable, Equatable {
    /// The name within its group, or the group's name.
    let name: String
    /// The rows of the tree that the line stands for.
    let rows: [Int]
    let isGroup: Bool
    let depth: Int
    /// The group of the line.
    let group: String
  }

  package let name: String
  private(set) var tree: TensorTree?
  private(set) var details: [String: TensorDetail] = [:]
  /// The details of tensors, by path and step.
  private(set) var moments: [String: [Int: TensorMoment]] = [:]
  /// The steps of checkpoints that could not be read.
  private var missing: Set<Int> = []
  private(set) var lines: [TreeLine] = []
  var chosen = 0
  var closed: Set<String> = []
  var order = TensorOrder.tree
  var filter = ""
  /// The filter while it is being typed.
  var typing: String?
  var wantedTree: TensorsReading?
  /// The request whose answer is awaited.
  private(set) var pending: TensorsReading?
  var showsWhole = false
  package var message = ""
  var help: HelpPage?
  private(set) var page = 10
  private var size = (columns: 80, rows: 24)
  var palette: Palette
  var glyphs: Glyphs
  /// The richest characters that the terminal can show.
  var mostGlyphs = Glyphs.braille

  /// - Parameters:
  ///   - step: the checkpoint's step; nil means the newest.
  ///   - against: the other checkpoint's step; nil means the one before.
  package init(
    name: String, step: Int? = nil, against: Int? = nil, palette: Palette = .okabe, glyphs: Glyphs = .braille
  ) {
    self.name = name
    self.palette = palette
    self.glyphs = glyphs
    wantedTree = .tree(step: step, against: against)
  }

  static let staying = Presence.stays
  static let leaving = Presence.left

  static let keys = ScreenKeys<TensorsAction>([
    ScreenKeys.KeyRow(
      [(.up, .up), (.down, .down), (.character("k"), .up), (.character("j"), .down)], shown: "↑ ↓", label: "choose",
      "choose a tensor (also k, j)"),
    ScreenKeys.KeyRow(
      [(.left, .fold), (.right, .unfold), (.character("h"), .fold), (.character("l"), .unfold)], shown: "← →",
      label: "close open", "close the group, open it (also h, l)"),
    ScreenKeys.KeyRow(
      [(.character("["), .earlier), (.character("]"), .later)], shown: "[ ]", label: "checkpoint",
      "show an earlier, a later checkpoint"),
    ScreenKeys.KeyRow(
      [(.character("{"), .otherEarlier), (.character("}"), .otherLater)], shown: "{ }", label: "against",
      "take differences to an earlier, a later checkpoint"),
    ScreenKeys.KeyRow([(.character("q"), .leave), (.escape, .leave)], shown: "q", label: "back", "leave (also esc)"),
    ScreenKeys.KeyRow([(.character("?"), .help)], label: "help", "show the keys"),
    ScreenKeys.KeyRow(
      [(.enter, .whole)], label: "whole", "show the chosen tensor over the whole screen, or open a group"),
    ScreenKeys.KeyRow(
      [(.character("s"), .sort)], label: "sort",
      "sort by norm, deviation, difference or cosine, or list the tree"),
    ScreenKeys.KeyRow([(.character("/"), .filter)], label: "filter", "list tensors whose name has some text"),
    ScreenKeys.KeyRow(
      [(.pageUp, .pageUp), (.pageDown, .pageDown), (.home, .first), (.end, .last)], shown: "pgup pgdn",
      "go by pages; home and end go to the ends"),
  ]).withLooks(.palette, .glyphs, .redraw)

  // MARK: Reading

  /// The next request: the tree first, then the chosen tensor, then the same tensor in older checkpoints; nil while an answer is
  /// awaited, and if nothing is missing.
  package var nextReading: TensorsReading? {
    guard pending == nil else { return nil }
    if let wantedTree { return wantedTree }
    guard let tree, let path = chosenPath else { return nil }
    if details[path]?.step != tree.step { return .detail(path: path, step: tree.step) }
    let known = moments[path] ?? [:]
    // From the newest checkpoint to the oldest.
    return tree.steps.last { known[$0] == nil && !missing.contains($0) }.map { .moment(path: path, step: $0) }
  }

  /// Notes that something is being read.
  package mutating func expect(_ reading: TensorsReading) { pending = reading }

  package mutating func take(_ tree: TensorTree) {
    pending = nil
    if case .tree = wantedTree { wantedTree = nil }
    let path = chosenPath
    self.tree = tree
    details = [:]
    for row in tree.rows { moments[row.summary.path, default: [:]][tree.step] = TensorMoment(row.summary) }
    list()
    if let path, let index = lines.firstIndex(where: { !$0.isGroup && tree.rows[$0.rows[0]].summary.path == path }) {
      chosen = index
    }
  }

  package mutating func take(_ detail: TensorDetail) {
    pending = nil
    details[detail.summary.path] = detail
    // Enough to come back to; a heat map of each of thousands would add up.
    if details.count > 64 { details = [detail.summary.path: detail] }
  }

  package mutating func take(_ moment: TensorMoment, of path: String, step: Int) {
    pending = nil
    moments[path, default: [:]][step] = moment
  }

  /// Takes that something cannot be read.
  package mutating func fail(_ problem: String) {
    switch pending {
    case .tree: wantedTree = nil
    case .detail(_, let step), .moment(_, let step): missing.insert(step)
    case nil: break
    }
    // A tensor that cannot be read would be asked for again and again.
    if case .detail = pending { wantedTree = tree.map { .tree(step: nil, against: $0.against) } }
    pending = nil
    message = problem
  }

  // MARK: The list

  var chosenLine: TreeLine? { lines.indices.contains(chosen) ? lines[chosen] : nil }
  var chosenPath: String? {
    guard let tree, let line = chosenLine, !line.isGroup else { return nil }
    return tree.rows[line.rows[0]].summary.path
  }

  static func shortName(_ path: String) -> String {
    path.hasSuffix("/weight") ? String(path.dropLast("/weight".count)) : path
  }

  /// The group of a path, up to its first number: `model/layers/0`; empty where it has none.
  static func group(of path: String) -> String {
    let parts = path.split(separator: "/")
    guard let index = parts.firstIndex(where: { Int($0) != nil }) else { return "" }
    return parts[...index].joined(separator: "/")
  }

  func isClosed(_ group: String) -> Bool { closed.contains(group) }

  mutating func list() {
    guard let tree else { return lines = [] }
    let wanted = tree.rows.indices.filter { index in
      let text = typing ?? filter
      return text.isEmpty || tree.rows[index].summary.path.lowercased().contains(text.lowercased())
    }
    lines = []
    guard order == .tree else {
      func value(_ index: Int) -> Double {
        let row = tree.rows[index]
        let value: Double? =
          switch order {
          case .norm: row.summary.norm
          case .deviation: row.summary.deviation
          case .difference: row.difference?.relative
          case .cosine: row.difference?.cosine.map { -$0 }
          case .tree: nil
          }
        return value.flatMap { $0.isNaN ? nil : $0 } ?? -.infinity
      }
      lines = wanted.sorted { value($0) > value($1) }.map {
        TreeLine(name: Self.shortName(tree.rows[$0].summary.path), rows: [$0], isGroup: false, depth: 0, group: "")
      }
      return chosen = min(chosen, max(lines.count - 1, 0))
    }
    var done: Set<String> = []
    for index in wanted {
      let path = Self.shortName(tree.rows[index].summary.path)
      let group = Self.group(of: path)
      guard !group.isEmpty else {
        lines.append(TreeLine(name: path, rows: [index], isGroup: false, depth: 0, group: ""))
        continue
      }
      guard done.insert(group).inserted else { continue }
      let members = wanted.filter { Self.group(of: Self.shortName(tree.rows[$0].summary.path)) == group }
      lines.append(TreeLine(name: group, rows: members, isGroup: true, depth: 0, group: group))
      guard !closed.contains(group) else { continue }
      lines += members.map { member in
        let rest = Self.shortName(tree.rows[member].summary.path).dropFirst(group.count + 1)
        return TreeLine(name: String(rest), rows: [member], isGroup: false, depth: 1, group: group)
      }
    }
    chosen = min(chosen, max(lines.count - 1, 0))
  }

  /// The first row of a list of so many rows.
  func firstRow(in rows: Int) -> Int { min(max(chosen - rows / 2, 0), max(lines.count - rows, 0)) }

  var lastPicture: Canvas { draw(size: size) }

  mutating func choose(_ meaning: ClickMeaning, value: Double?) {
    if case .row(let index) = meaning, lines.indices.contains(index) { chosen = index }
  }

  package mutating func fit(columns: Int, rows: Int) {
    size = (columns, rows)
    page = max(arrangement(Rectangle(column: 0, row: 0, columns: columns, rows: rows)).tree.rows - 3, 1)
  }
}
