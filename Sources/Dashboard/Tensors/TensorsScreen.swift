// The tensors screen: the tree of a checkpoint with differences from another checkpoint, and the chosen tensor in detail.
import Run
import TerminalUI

/// The tensors screen.
package struct TensorsScreen: Sendable, KeyedScreen {
  enum TensorsAction: Hashable, Sendable {
    case go(ListStep)
    case fold, unfold
    case earlier, later, otherEarlier, otherLater, sort, filter, whole
    case runs, palette, glyphs, help, leave, redraw
  }

  /// A request of the screen to read from checkpoints.
  package enum TensorsReading: Sendable, Equatable {
    /// The names and shapes of all tensors at a step (nil: the newest), to be compared with another step.
    case tree(step: Int?, against: Int?)
    /// The numbers of some tensors of the tree.
    case numbers(paths: [String], step: Int, against: Int?)
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
  /// The most numbers that are read at once, so that the first rows are complete soon; one tensor is always read.
  private static let mostNumbers = 1 << 22
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
  var isLowest = false
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
      [(.up, .go(.up)), (.down, .go(.down)), (.character("k"), .go(.up)), (.character("j"), .go(.down))], shown: "↑ ↓",
      label: "choose",
      "choose a tensor (also k, j)"),
    ScreenKeys.KeyRow(
      [(.left, .fold), (.right, .unfold), (.character("h"), .fold), (.character("l"), .unfold)], shown: "← →",
      label: "close open", "close the group, open it (also h, l)"),
    ScreenKeys.KeyRow(
      [(.character("["), .earlier), (.character("]"), .later)], shown: "[ ]", label: "checkpoint",
      "show an earlier, a later checkpoint"),
    ScreenKeys.KeyRow(
      [(.character("{"), .otherEarlier), (.character("}"), .otherLater)], shown: "{ }", label: "against",
      "compare with an earlier, a later checkpoint"),
    ScreenKeys.KeyRow(
      [(.character("q"), .leave), (.escape, .leave)], shown: "q", label: "back", "leave; esc goes back, and never quits"
    ),
    ScreenKeys.KeyRow([(.character("?"), .help)], label: "help", "show the keys"),
    ScreenKeys.KeyRow(
      [(.enter, .whole)], label: "whole", "show the chosen tensor over the whole screen, or open a group"),
    ScreenKeys.KeyRow(
      [(.character("s"), .sort)], label: "sort",
      "sort by norm, deviation, difference or cosine, or list the tree"),
    ScreenKeys.KeyRow([(.character("/"), .filter)], label: "filter", "list tensors whose name contains a text"),
    ScreenKeys.KeyRow(
      [(.pageUp, .go(.pageUp)), (.pageDown, .go(.pageDown)), (.home, .go(.first)), (.end, .go(.last))],
      shown: "pgup pgdn",
      "go by pages; home and end go to the ends"),
  ]).withRuns(.runs).withLooks(.palette, .glyphs, .redraw)

  // MARK: Reading

  /// The next request: names and shapes first, then the numbers of the rows on the screen, the chosen tensor, the numbers of all other
  /// rows, and the chosen tensor in older checkpoints; nil while an answer is awaited, and if nothing is missing.
  package var nextReading: TensorsReading? {
    guard pending == nil else { return nil }
    if let wantedTree { return wantedTree }
    guard let tree, !missing.contains(tree.step) else { return nil }
    let first = firstRow(in: page)
    if let reading = numbers(of: lines.dropFirst(first).prefix(page)) { return reading }
    if let path = chosenPath, details[path]?.step != tree.step { return .detail(path: path, step: tree.step) }
    if let reading = numbers(of: lines[...]) { return reading }
    guard let path = chosenPath else { return nil }
    let known = moments[path] ?? [:]
    // From the newest checkpoint to the oldest.
    return tree.steps.last { known[$0] == nil && !missing.contains($0) }.map { .moment(path: path, step: $0) }
  }

  /// The request for numbers that some lines lack.
  private func numbers(of lines: ArraySlice<TreeLine>) -> TensorsReading? {
    guard let tree else { return nil }
    var paths: [String] = []
    var count = 0
    var seen: Set<Int> = []
    for index in lines.lazy.flatMap(\.rows) where tree.rows[index].numbers == nil && seen.insert(index).inserted {
      count += tree.rows[index].count
      guard paths.isEmpty || count <= Self.mostNumbers else { break }
      paths.append(tree.rows[index].path)
    }
    return paths.isEmpty ? nil : .numbers(paths: paths, step: tree.step, against: tree.against)
  }

  /// Notes that something is being read.
  package mutating func expect(_ reading: TensorsReading) { pending = reading }

  package mutating func take(_ tree: TensorTree) {
    pending = nil
    if case .tree = wantedTree { wantedTree = nil }
    let path = chosenPath
    self.tree = tree
    details = [:]
    list(choosing: path)
  }

  /// Takes numbers of tensors.
  package mutating func take(_ numbers: [TensorNumbers], step: Int, against: Int?) {
    pending = nil
    guard tree?.step == step, tree?.against == against else { return }
    let path = chosenPath
    tree?.take(numbers)
    for one in numbers { moments[one.summary.path, default: [:]][step] = TensorMoment(one.summary) }
    // The order may be that of the numbers.
    if order != .tree { list(choosing: path) }
  }

  /// Lists anew and keeps the choice on a tensor, or on the closed group that it is in.
  mutating func list(choosing path: String?) {
    list()
    guard let path, let tree else { return }
    let places = lines.indices.filter { lines[$0].rows.contains { tree.rows[$0].path == path } }
    chosen = places.first { !lines[$0].isGroup } ?? places.first ?? chosen
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

  /// True if a checkpoint could not be read.
  func isMissing(_ step: Int?) -> Bool { step.map(missing.contains) ?? false }

  /// Says something to the user.
  package mutating func say(_ sentence: String) { message = sentence }

  /// Takes that something cannot be read.
  package mutating func fail(_ problem: String) {
    switch pending {
    case .tree: wantedTree = nil
    case .detail(_, let step), .moment(_, let step), .numbers(_, let step, _): missing.insert(step)
    case nil: break
    }
    // A tensor that cannot be read would be asked for again and again.
    if case .detail = pending { wantedTree = tree.map { .tree(step: nil, against: $0.against) } }
    pending = nil
    message = problem
  }

  /// Takes that the numbers of a checkpoint cannot be read: another one takes its place.
  package mutating func fail(step: Int, _ problem: String) {
    if let tree, step == tree.step || step == tree.against, missing.insert(step).inserted {
      wantedTree = .tree(step: step == tree.step ? nil : tree.step, against: nil)
      pending = nil
      message = problem
    } else {
      fail(problem)
    }
  }

  // MARK: The list

  var chosenLine: TreeLine? { lines.indices.contains(chosen) ? lines[chosen] : nil }
  var chosenPath: String? {
    guard let tree, let line = chosenLine, !line.isGroup else { return nil }
    return tree.rows[line.rows[0]].path
  }

  static func shortName(_ path: String) -> String {
    path.hasSuffix("/weight") ? String(path.dropLast("/weight".count)) : path
  }

  /// A path in at most `columns` cells. Its beginning says least: words from the left on are their first letters alone, then the front
  /// is cut. Numbers and the last word stay.
  static func fitted(_ path: String, to columns: Int) -> String {
    var parts = path.split(separator: "/").map(String.init)
    var text = path
    for index in parts.indices.dropLast() where text.width > columns && Int(parts[index]) == nil {
      parts[index] = String(parts[index].prefix(1))
      text = parts.joined(separator: "/")
    }
    return text.cutFront(to: columns)
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
      return text.isEmpty || tree.rows[index].path.lowercased().contains(text.lowercased())
    }
    lines = []
    guard order == .tree else {
      func value(_ index: Int) -> Double {
        let row = tree.rows[index]
        let value: Double? =
          switch order {
          case .norm: row.numbers?.summary.norm
          case .deviation: row.numbers?.summary.deviation
          case .difference: row.numbers?.difference?.relative
          case .cosine: row.numbers?.difference?.cosine.map { -$0 }
          case .tree: nil
          }
        return value.flatMap { $0.isNaN ? nil : $0 } ?? -.infinity
      }
      lines = wanted.sorted { value($0) > value($1) }.map {
        TreeLine(name: Self.shortName(tree.rows[$0].path), rows: [$0], isGroup: false, depth: 0, group: "")
      }
      return chosen = min(chosen, max(lines.count - 1, 0))
    }
    var done: Set<String> = []
    for index in wanted {
      let path = Self.shortName(tree.rows[index].path)
      let group = Self.group(of: path)
      guard !group.isEmpty else {
        lines.append(TreeLine(name: path, rows: [index], isGroup: false, depth: 0, group: ""))
        continue
      }
      guard done.insert(group).inserted else { continue }
      let members = wanted.filter { Self.group(of: Self.shortName(tree.rows[$0].path)) == group }
      lines.append(TreeLine(name: group, rows: members, isGroup: true, depth: 0, group: group))
      guard !closed.contains(group) else { continue }
      lines += members.map { member in
        let rest = Self.shortName(tree.rows[member].path).dropFirst(group.count + 1)
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
