// The compare screen: several runs on one chart, and the user's view of them.
import Run
import TerminalUI

/// The compare screen.
package struct CompareScreen: Sendable, KeyedScreen {
  enum CompareAction: Hashable, Sendable {
    case axis, metric, metricBack, metrics, against, difference, differingKeys, seeds
    case left, right, farLeft, farRight, first, last
    case closer, wider, smoother, rougher, unsmoothed, logarithm
    case runs, palette, glyphs, help, leave, redraw
  }

  package private(set) var comparison: Comparison
  /// The cursor's place, in units of the axis; nil means the end of the shortest line.
  private(set) var cursor: Double?
  /// The zoom: how often the visible part of the axis was halved.
  private(set) var zoom = 0
  private(set) var showsDifference = false
  private(set) var isLogarithmic = false
  var message = ""
  var isLowest = false
  private var size = (columns: 80, rows: 24)
  var help: HelpPage?
  /// The list of the recipe keys that differ, which covers the screen; nil while it is hidden.
  private(set) var keyList: HelpPage?
  /// The list of the metrics, which covers the screen; nil while it is hidden.
  var metricList: MetricList?
  var palette: Palette
  var glyphs: Glyphs
  /// The richest characters that the terminal can show.
  var mostGlyphs = Glyphs.braille

  package init(_ comparison: Comparison, palette: Palette = .okabe, glyphs: Glyphs = .braille) {
    self.comparison = comparison
    self.palette = palette
    self.glyphs = glyphs
  }

  static let wheel: (up: Key, down: Key) = (.character("z"), .character("Z"))
  static let staying = Presence.stays
  static let leaving = Presence.left

  static let keys = ScreenKeys<CompareAction>([
    ScreenKeys.KeyRow(
      [(.character("q"), .leave), (.escape, .leave)], shown: "q", label: "back", "leave; esc goes back, and never quits"
    ),
    ScreenKeys.KeyRow(
      [(.left, .left), (.right, .right), (.character("h"), .left), (.character("l"), .right)], shown: "← →",
      label: "cursor", "move the cursor that reads values (also h, l)"),
    ScreenKeys.KeyRow(
      [(.character("a"), .axis), (.character("x"), .axis)], shown: "a", label: "align",
      "align at equal steps, tokens, training time or loss (also x)"),
    ScreenKeys.KeyRow(
      [(.character("m"), .metric), (.character("M"), .metricBack)], shown: "m", label: "metric",
      "compare the next metric (M: the previous)"),
    ScreenKeys.KeyRow(
      [(.character("d"), .difference)], label: "difference", "draw differences from the reference line, or the values"),
    ScreenKeys.KeyRow([(.tab, .against)], label: "against", "choose the next line as the reference line"),
    ScreenKeys.KeyRow([(.character("?"), .help)], label: "help", "show the keys"),
    ScreenKeys.KeyRow(
      [(.character("w"), .differingKeys)], label: "keys",
      "list all recipe keys that differ; arrows scroll, w and esc close"),
    ScreenKeys.KeyRow(
      [(.character("g"), .seeds)], label: "seeds", "join runs that differ only in the seed, or separate them"),
    ScreenKeys.KeyRow(
      [(.character("z"), .closer), (.character("Z"), .wider)], shown: "z Z", label: "zoom",
      "zoom in around the cursor; zoom out"),
    ScreenKeys.KeyRow(
      [
        (.character("+"), .smoother), (.character("="), .smoother), (.character("-"), .rougher),
        (.character("0"), .unsmoothed),
      ], shown: "+ - 0", label: "smooth", "smoothing of losses over steps: more, less, none"),
    ScreenKeys.KeyRow([(.character("y"), .logarithm)], label: "log", "y axis: linear, logarithmic"),
    ScreenKeys.KeyRow(
      [(.pageUp, .farLeft), (.pageDown, .farRight), (.home, .first), (.end, .last)], shown: "pgup pgdn",
      "move the cursor by a tenth; home and end move it to the ends"),
    ScreenKeys.KeyRow(
      [(.character("/"), .metrics)], label: "metrics", "choose a metric from the list, by a part of its name"),
  ]).withRuns(.runs).withLooks(.palette, .glyphs, .redraw)

  /// True if there is one run, whose metrics are looked at without another one to compare with.
  var isAlone: Bool { comparison.runs.count == 1 }

  /// The indices of runs that another process trains now.
  package var live: [Int] { comparison.runs.indices.filter { comparison.runs[$0].state == "training" } }

  /// Takes new events of a run.
  package mutating func receive(_ events: [Event], ofRun index: Int, state: String) {
    comparison.receive(events, ofRun: index, state: state)
  }

  // MARK: The visible part

  /// True if greater places are on the left: losses fall, and later values are on the right.
  var isMirrored: Bool { comparison.axis == .loss && comparison.metric.aim == .low }

  /// The place of the cursor; nil without curves.
  var place: Double? {
    guard let extent = comparison.extent else { return nil }
    return min(max(cursor ?? comparison.common ?? extent.last, extent.first), extent.last)
  }

  /// The visible part of the axis.
  var visible: (first: Double, last: Double)? {
    guard let extent = comparison.extent, let place else { return nil }
    let isFromStart = comparison.axis != .loss && extent.first < (extent.last - extent.first) * 0.5
    let first = isFromStart ? 0 : extent.first
    guard zoom > 0 else { return (first, extent.last) }
    let width = (extent.last - first) / Double(1 << zoom)
    let start = min(max(place - width / 2, first), extent.last - width)
    return (start, start + width)
  }

  // MARK: Keys

  package mutating func fit(columns: Int, rows: Int) { size = (columns, rows) }

  var lastPicture: Canvas { draw(size: size) }

  /// A click on a chart puts the cursor there.
  mutating func choose(_ meaning: ClickMeaning, value: Double?) {
    guard let value, let extent = comparison.extent else { return }
    cursor = min(max(isMirrored ? -value : value, extent.first), extent.last)
  }

  mutating func press(_ key: Key) -> Presence {
    if let list = metricList, key != .control("c") {
      press(key, in: list)
      return .stays
    }
    guard var list = keyList, key != .control("c") else { return dispatch(key) }
    let staysOpen = key != .character("w") && list.press(key)
    list.scroll = min(list.scroll, keyListExtent(rows: size.rows))
    keyList = staysOpen ? list : nil
    return .stays
  }

  /// The reason why a key has no effect now; nil if it has.
  func refusal(of deed: CompareAction) -> String? {
    switch deed {
    case .smoother, .rougher, .unsmoothed:
      comparison.metric.isSmoothed
        ? nil : "\(comparison.metric.label) is shown as it was measured: only losses of steps are smoothed"
    case .seeds:
      comparison.runs.count > comparison.lines.count || !comparison.joinsSeeds
        ? nil : isAlone ? "there is only one run" : "no two of these runs differ only in their seed"
    case .metric, .metricBack, .metrics:
      comparison.metrics.count > 1
        ? nil : isAlone ? "this run has no other metric" : "these runs have no other metric in common"
    case .against, .difference:
      comparison.lines.count > 1
        ? nil : isAlone ? "there is only one run" : "there is only one line: g separates its seeds"
    case .differingKeys:
      comparison.differences.isEmpty ? isAlone ? "there is only one run" : "these runs have the same recipe" : nil
    case .wider: zoom > 0 ? nil : "the whole axis is shown"
    case .closer: zoom < 12 ? nil : "this is the closest zoom"
    case .logarithm: showsDifference ? "differences are drawn on a linear axis" : nil
    default: nil
    }
  }

  mutating func perform(_ deed: CompareAction) -> Presence {
    switch deed {
    case .leave: return .left
    case .runs: return .runs
    case .axis:
      let all = CompareAxis.allCases
      comparison.axis = all[((all.firstIndex(of: comparison.axis) ?? 0) + 1) % all.count]
      (cursor, zoom) = (nil, 0)
      let equal =
        comparison.axis == .time ? "training time" : comparison.axis == .step ? "steps" : comparison.axis.rawValue
      message = "\(isAlone ? "over" : "aligned at equal") \(equal)"
    case .metric: show(metric: 1)
    case .metricBack: show(metric: -1)
    case .metrics: metricList = MetricList(text: "", chosen: comparison.metrics.firstIndex(of: comparison.metric) ?? 0)
    case .against:
      comparison.against = (comparison.against + 1) % comparison.lines.count
      message = "compared with \(comparison.lines[comparison.against].name)"
    case .difference: showsDifference.toggle()
    case .differingKeys: keyList = HelpPage()
    case .seeds: comparison.joinsSeeds.toggle()
    case .left: move(-1 / 60)
    case .right: move(1 / 60)
    case .farLeft: move(-1 / 10)
    case .farRight: move(1 / 10)
    case .first: move(-1e9)
    case .last: move(1e9)
    case .closer: zoom += 1
    case .wider: zoom -= 1
    case .smoother: smooth(Smoothing.ladder.first { $0 > comparison.smoothing })
    case .rougher: smooth(Smoothing.ladder.last { $0 < comparison.smoothing })
    case .unsmoothed: smooth(0)
    case .logarithm: isLogarithmic.toggle()
    case .palette: changePalette()
    case .glyphs: changeGlyphs()
    case .help: help = HelpPage()
    case .redraw: break
    }
    return .stays
  }

  private mutating func show(metric direction: Int) {
    let all = comparison.metrics
    let index = all.firstIndex(of: comparison.metric) ?? 0
    show(all[(index + direction + all.count) % all.count])
  }

  mutating func show(_ metric: ComparedMetric) {
    comparison.metric = metric
    if comparison.axis == .loss { (cursor, zoom) = (nil, 0) }
    message = "\(isAlone ? "showing" : "comparing") \(comparison.metric.label)"
  }

  private mutating func smooth(_ factor: Double?) {
    if let factor { comparison.smooth(factor) }
    message = "smoothing \(Smoothing.figure(comparison.smoothing))"
  }

  /// Moves the cursor to the right by a share of the visible part.
  private mutating func move(_ share: Double) {
    guard let place, let visible, let extent = comparison.extent else { return }
    let sign = isMirrored ? -1.0 : 1
    cursor = min(max(place + sign * share * (visible.last - visible.first), extent.first), extent.last)
  }
}
