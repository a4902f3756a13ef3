// The user's choices on a screen, which are remembered: a YAML file that can also be written by hand.
import Run
import TerminalUI
import Yams

/// Choices of looks and of the list of runs; nil for a default that was not changed.
package struct Preferences: Sendable, Equatable {
  package var palette: String?
  package var glyphs: Glyphs?
  package var smoothing: Double?
  package var x: Axis?
  package var isLogarithmic: Bool?
  package var layout: String?
  /// The list of runs: its sort column, and whether the order is reversed.
  package var sort: String?
  package var isReversed: Bool?
  package var filter: String?

  package init() {}

  static let keys = ["palette", "glyphs", "smoothing", "x", "log", "layout", "sort", "reversed", "filter"]

  /// Reads the file's text.
  /// - Parameter source: the file's name, for messages.
  /// - Throws: `UserError` with file, line and the allowed values.
  package init(yaml: String, source: String) throws {
    guard let root = try YAML.root(of: yaml, what: "preferences", source: source) else { return }
    func fault(_ node: Node, _ text: String) -> UserError {
      UserError(.data, "\(source):\(node.mark?.line ?? 1): \(text)")
    }
    guard case .mapping(let mapping) = root else { throw fault(root, "preferences are “key: value” lines") }
    for (key, value) in mapping {
      let name = key.string ?? ""
      let text = value.string ?? ""
      func oneOf(_ names: [String]) -> UserError {
        fault(value, "\(name) must be one of \(names.joined(separator: ", ")), and \(text.quotation) is not")
      }
      switch name {
      case "palette":
        let names = Palette.all.map(\.name)
        guard names.contains(text) else { throw oneOf(names) }
        palette = text
      case "glyphs":
        guard let glyphs = Glyphs(rawValue: text) else { throw oneOf(Glyphs.allCases.map(\.rawValue)) }
        self.glyphs = glyphs
      case "smoothing":
        guard let number = value.float, number >= 0, number < 1 else {
          throw fault(value, "smoothing must be a number from 0 to below 1, and \(text.quotation) is not")
        }
        smoothing = number
      case "x":
        guard let axis = Axis(rawValue: text) else { throw oneOf(Axis.allCases.map(\.rawValue)) }
        x = axis
      case "log", "reversed":
        guard let flag = value.bool else { throw oneOf(["true", "false"]) }
        if name == "log" { isLogarithmic = flag } else { isReversed = flag }
      case "layout": layout = text
      case "sort": sort = text
      case "filter": filter = text
      default:
        let meant =
          Self.keys.nearest(to: name).map { "did you mean “\($0)”?" }
          ?? "there are \(Self.keys.joined(separator: ", "))"
        throw fault(key, "there is no preference \(name.quotation); \(meant)")
      }
    }
  }

  /// The file's text.
  package var yaml: String {
    func quoted(_ text: String) -> String {
      "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
    let lines: [String?] = [
      palette.map { "palette: \($0)" }, glyphs.map { "glyphs: \($0.rawValue)" },
      smoothing.map { "smoothing: \(Figure.factor($0))" }, x.map { "x: \($0.rawValue)" },
      isLogarithmic.map { "log: \($0)" }, layout.map { "layout: \(quoted($0))" }, sort.map { "sort: \(quoted($0))" },
      isReversed.map { "reversed: \($0)" }, filter.map { "filter: \(quoted($0))" },
    ]
    return "# What was chosen on foretop's screens. A line that is removed is the default again.\n"
      + lines.compactMap { $0.map { $0 + "\n" } }.joined()
  }

  /// Takes the choices that changed between two states of a screen.
  package mutating func take(from before: Preferences, to after: Preferences) {
    func changed<Value: Equatable>(_ path: KeyPath<Preferences, Value?>) -> Bool {
      before[keyPath: path] != after[keyPath: path]
    }
    if changed(\.palette) { palette = after.palette }
    if changed(\.glyphs) { glyphs = after.glyphs }
    if changed(\.smoothing) { smoothing = after.smoothing }
    if changed(\.x) { x = after.x }
    if changed(\.isLogarithmic) { isLogarithmic = after.isLogarithmic }
    if changed(\.layout) { layout = after.layout }
    if changed(\.sort) { sort = after.sort }
    if changed(\.isReversed) { isReversed = after.isReversed }
    if changed(\.filter) { filter = after.filter }
  }
}

extension Palette {
  /// The palette of this name; nil if there is none.
  package static func named(_ name: String?) -> Palette? { all.first { $0.name == name } }
}

extension Dashboard {
  /// The present choices.
  package var chosen: Preferences {
    var chosen = Preferences()
    chosen.palette = palette.name
    chosen.glyphs = glyphs
    chosen.smoothing = history.smoothing
    chosen.x = axis
    chosen.isLogarithmic = isLogarithmic
    chosen.layout = layout.name
    return chosen
  }

  /// Applies remembered choices.
  /// - Parameter layout: false if the command line names the layout, which then stays.
  package mutating func use(_ preferences: Preferences, layout usesLayout: Bool = true) {
    if usesLayout, let layout = layouts.first(where: { $0.name == preferences.layout }) { show(layout) }
    if let chosen = Palette.named(preferences.palette) { (palette, hasChosenPalette) = (chosen, true) }
    if let smoothing = preferences.smoothing { history.smooth(smoothing) }
    axis = preferences.x ?? axis
    isLogarithmic = preferences.isLogarithmic ?? isLogarithmic
    message = ""
  }
}

extension RunsScreen {
  package var chosenLooks: Preferences {
    var chosen = Preferences()
    chosen.palette = palette.name
    chosen.glyphs = glyphs
    chosen.sort = sort
    chosen.isReversed = isReversed
    chosen.filter = filter
    return chosen
  }

  package mutating func use(_ preferences: Preferences) { palette = Palette.named(preferences.palette) ?? palette }
}
