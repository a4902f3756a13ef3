// The effect of each key on the tensors screen.
import Run
import TerminalUI

extension TensorsScreen {
  // MARK: Keys

  mutating func press(_ key: Key) -> Presence {
    if let typing, help == nil, key != .control("c") {
      press(key, in: typing)
      return .stays
    }
    return dispatch(key)
  }

  /// Why a key does nothing now; nil when it does something.
  func refusal(of deed: TensorsAction) -> String? {
    guard let tree else {
      return [.leave, .runs, .help, .palette, .glyphs, .redraw].contains(deed) ? nil : "not read yet"
    }
    switch deed {
    case .earlier: return neighbour(of: tree.step, -1) == nil ? "there is no earlier checkpoint" : nil
    case .later: return neighbour(of: tree.step, 1) == nil ? "there is no later checkpoint" : nil
    case .otherEarlier, .otherLater:
      if tree.steps.count < 2 { return "there is only one checkpoint: nothing to compare with" }
      return neighbour(of: tree.against ?? tree.step, deed == .otherEarlier ? -1 : 1, but: tree.step) == nil
        ? "there is no other checkpoint on that side" : nil
    case .fold: return chosenLine?.group.isEmpty == false ? nil : "this tensor is in no group"
    case .unfold: return chosenLine?.isGroup == true ? nil : "this line is not a group"
    default: return nil
    }
  }

  /// The next checkpoint before or after a step.
  private func neighbour(of step: Int, _ direction: Int, but left: Int? = nil) -> Int? {
    let steps = (tree?.steps ?? []).filter { $0 != left }
    return direction < 0 ? steps.last { $0 < step } : steps.first { $0 > step }
  }

  mutating func perform(_ deed: TensorsAction) -> Presence {
    switch deed {
    case .leave:
      guard showsWhole else { return .left }
      showsWhole = false
    case .runs: return .runs
    case .go(let step): chosen = step.index(from: chosen, of: lines.count, page: page)
    case .fold, .unfold: fold(deed == .fold)
    case .whole:
      if let line = chosenLine, line.isGroup { fold(!closed.contains(line.group)) } else { showsWhole.toggle() }
    case .earlier, .later:
      guard let tree, let step = neighbour(of: tree.step, deed == .earlier ? -1 : 1) else { break }
      // The same distance back, where there is one before.
      read(step, against: tree.against == step ? nil : tree.against)
    case .otherEarlier, .otherLater:
      guard let tree else { break }
      read(
        tree.step,
        against: neighbour(of: tree.against ?? tree.step, deed == .otherEarlier ? -1 : 1, but: tree.step))
    case .sort:
      let all = TensorOrder.allCases
      order = all[((all.firstIndex(of: order) ?? 0) + 1) % all.count]
      list(choosing: firstPath)
      message = order == .tree ? "listed as a tree" : "sorted by \(order.rawValue)"
    case .filter: typing = filter
    case .palette: changePalette()
    case .glyphs: changeGlyphs()
    case .help: help = HelpPage()
    case .redraw: break
    }
    return .stays
  }

  /// The chosen tensor, or the first one of the chosen group.
  private var firstPath: String? {
    guard let tree, let index = chosenLine?.rows.first else { return nil }
    return tree.rows[index].path
  }

  private mutating func read(_ step: Int, against: Int?) {
    wantedTree = .tree(step: step, against: against)
    message = "reading the checkpoint of step \(Figure.grouped(step)) …"
  }

  private mutating func fold(_ shouldClose: Bool) {
    guard let line = chosenLine, !line.group.isEmpty else { return }
    if shouldClose { closed.insert(line.group) } else { closed.remove(line.group) }
    list()
    chosen = lines.firstIndex { $0.isGroup && $0.group == line.group } ?? chosen
  }

  private mutating func press(_ key: Key, in text: String) {
    let path = firstPath
    switch key {
    case .enter: (filter, typing) = (text, nil)
    case .escape: (filter, typing) = ("", nil)
    default: if let edited = key.edited(text, most: 80) { typing = edited }
    }
    list(choosing: path)
  }
}
