// Panels that a run can never have anything for: neighbours take their room.
import Run
import TerminalUI

extension Dashboard {
  /// Why this run can never have anything for a panel; nil if it has or may have something.
  func absence(of panel: Panel) -> String? {
    guard let recipe = beginning?.recipe else { return nil }
    switch panel {
    case .order:
      guard !recipe.heads.contains(where: \.ranks), sample == nil, recipe.data.kind != .stargraph else { return nil }
      return "this run has no TOP head"
    case .memory:
      return hasMemory ? nil : "this run has no memory layers: model.memory.keys is 0"
    case .tokens, .collapse, .diagnostics:
      let names = Self.diagnostics(on: panel).map(\.name)
      let isMeasured = names.contains { recipe.measure[every: $0] > 0 || history.evaluations.measured.contains($0) }
      return isMeasured ? nil : Self.notMeasured(names)
    default: return nil
    }
  }

  /// What to say when a layout is shown: its name, and why it has fewer panels than its file.
  var layoutWords: String {
    let shown = places(columns: size.columns, rows: size.rows).map(\.panel)
    let hidden = layout.arrangement(columns: size.columns, rows: size.rows).map(\.panel)
      .filter { !shown.contains($0) && absence(of: $0) != nil }
    // Panels of diagnostics have one reason together.
    let names = hidden.flatMap { Self.diagnostics(on: $0).map(\.name) }
    var reasons = hidden.filter { Self.diagnostics(on: $0).isEmpty }.compactMap { absence(of: $0) }
    if names.count == DiagnosticKind.all.count {
      reasons.append("this run measures no diagnostics: measure.\(names[0]) and all others are 0")
    } else if !names.isEmpty {
      reasons.append(Self.notMeasured(names))
    }
    return (["layout: \(layout.name)"] + reasons).joined(separator: "; ")
  }
}

extension Layout {
  /// Gives the room of absent panels to their neighbours. If no other panel would be left, all stay, and so do panels that no
  /// neighbours can replace exactly.
  static func fill(
    _ places: [(panel: Panel, rectangle: Rectangle)], without absent: Set<Panel>
  ) -> [(panel: Panel, rectangle: Rectangle)] {
    guard places.contains(where: { !$0.panel.isBar && $0.panel != .events && !absent.contains($0.panel) }) else {
      return places
    }
    var places = places
    for panel in places.map(\.panel) where absent.contains(panel) {
      guard let index = places.firstIndex(where: { $0.panel == panel }) else { continue }
      let gap = places[index].rectangle
      guard let side = bestSide(of: gap, in: places, without: absent) else { continue }
      for taker in side.takers(gap, in: places) { side.extend(&places[taker].rectangle, over: gap) }
      places.remove(at: index)
    }
    return places
  }

  /// The side whose neighbours gain most from an area; nil if those of no side are exactly as long as it.
  private static func bestSide(
    of gap: Rectangle, in places: [(panel: Panel, rectangle: Rectangle)], without absent: Set<Panel>
  ) -> NeighbourSide? {
    let gainsLittle: Set<Panel> = [.events, .rate, .throughput, .machine]
    var best: (side: NeighbourSide, cost: Int)?
    for side in NeighbourSide.allCases {
      let takers = side.takers(gap, in: places).map { places[$0].panel }
      guard !takers.isEmpty, !takers.contains(where: \.isBar) else { continue }
      let cost = takers.reduce(0) { $0 + (absent.contains($1) ? 4 : gainsLittle.contains($1) ? 2 : 0) }
      if best.map({ cost < $0.cost }) ?? true { best = (side, cost) }
    }
    return best?.side
  }
}

/// A side of a panel where neighbours may take its room.
private enum NeighbourSide: CaseIterable {
  case below, above, right, left

  /// The neighbours of an area at this side, if together they are exactly as long as it.
  func takers(_ gap: Rectangle, in places: [(panel: Panel, rectangle: Rectangle)]) -> [Int] {
    let found = places.indices.filter { index in
      let place = places[index].rectangle
      switch self {
      case .below: return place.row == gap.bottom && place.column >= gap.column && place.end <= gap.end
      case .above: return place.bottom == gap.row && place.column >= gap.column && place.end <= gap.end
      case .right: return place.column == gap.end && place.row >= gap.row && place.bottom <= gap.bottom
      case .left: return place.end == gap.column && place.row >= gap.row && place.bottom <= gap.bottom
      }
    }
    let isVertical = self == .below || self == .above
    let length = found.reduce(0) { sum, index in
      sum + (isVertical ? places[index].rectangle.columns : places[index].rectangle.rows)
    }
    return length == (isVertical ? gap.columns : gap.rows) ? found : []
  }

  func extend(_ rectangle: inout Rectangle, over gap: Rectangle) {
    switch self {
    case .below:
      rectangle.row = gap.row
      rectangle.rows += gap.rows
    case .above: rectangle.rows += gap.rows
    case .right:
      rectangle.column = gap.column
      rectangle.columns += gap.columns
    case .left: rectangle.columns += gap.columns
    }
  }
}
