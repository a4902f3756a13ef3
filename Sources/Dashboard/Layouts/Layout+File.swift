// Reads layout files: YAML that looks like the screen. Every mistake is an error with the file, the line and the nearest valid
// name.
import Run
import TerminalUI
import Yams

extension Layout {
  /// Reads a layout.
  /// - Parameters:
  ///   - yaml: the file's text.
  ///   - source: the file's name, for messages.
  /// - Throws: `UserError` with file, line and the valid choices.
  package init(yaml: String, source: String) throws {
    guard let root = try YAML.root(of: yaml, what: "a layout", source: source) else {
      throw UserError(.data, "\(source): the layout is empty: give it a name, a key and variants")
    }
    self = try LayoutReader(source: source).layout(root)
  }
}

/// Reads the YAML nodes of one layout file.
private struct LayoutReader {
  let source: String

  func error(_ node: Node, _ text: String) -> UserError {
    UserError(.data, "\(source):\(node.mark?.line ?? 1): \(text)")
  }

  func layout(_ root: Node) throws -> Layout {
    let fields = try mapping(root, "a layout", allowing: ["name", "key", "variants", "panels"])
    let name = try required("name", in: fields, of: root)
    guard let text = name.string, !text.isEmpty else { throw error(name, "name must be a word, such as train") }
    let key = try required("key", in: fields, of: root)
    guard let number = key.int, (1...9).contains(number) else { throw error(key, "key must be a digit from 1 to 9") }
    let list = try required("variants", in: fields, of: root)
    guard case .sequence(let nodes) = list, !nodes.isEmpty else {
      throw error(list, "variants must be a list with at least one entry, each beginning with “- fits: 80x24”")
    }
    let variants = try nodes.map(variant)
    let settings = try fields["panels"].map(settings) ?? Layout.Settings()
    for (node, variant) in zip(nodes, variants) { try check(variant, settings, node) }
    return Layout(name: text, key: number, variants: variants, settings: settings)
  }

  private func mapping(_ node: Node, _ what: String, allowing keys: [String]) throws -> [String: Node] {
    guard case .mapping(let mapping) = node else { throw error(node, "\(what) must be a list of “key: value” lines") }
    var fields: [String: Node] = [:]
    for (key, value) in mapping {
      let name = key.string ?? ""
      guard keys.contains(name) else {
        throw error(key, "\(what) has no \(name.quotation)" + suggestion(name, keys))
      }
      fields[name] = value
    }
    return fields
  }

  private func suggestion(_ name: String, _ candidates: [String]) -> String {
    if let nearest = candidates.nearest(to: name) { return "; did you mean “\(nearest)”?" }
    return "; there are " + candidates.joined(separator: ", ")
  }

  private func required(_ name: String, in fields: [String: Node], of node: Node) throws -> Node {
    guard let value = fields[name] else { throw error(node, "“\(name)” is missing") }
    return value
  }

  // MARK: Variants

  private func variant(_ node: Node) throws -> Layout.Variant {
    let fields = try mapping(node, "a variant", allowing: ["fits", "columns", "rows", "areas"])
    let (columns, rows) = try size(required("fits", in: fields, of: node))
    let across = try tracks(required("columns", in: fields, of: node), within: columns, "columns")
    let down = try tracks(required("rows", in: fields, of: node), within: rows, "rows")
    let areas = try areas(required("areas", in: fields, of: node), columns: across.count, rows: down.count)
    return Layout.Variant(columns: columns, rows: rows, columnTracks: across, rowTracks: down, areas: areas)
  }

  private func size(_ node: Node) throws -> (Int, Int) {
    let parts = (node.string ?? "").split(separator: "x").map { Int($0) }
    guard parts.count == 2, let columns = parts[0], let rows = parts[1], (1...10_000).contains(columns),
      (1...10_000).contains(rows)
    else { throw error(node, "fits must be columns x rows, such as 80x24") }
    return (columns, rows)
  }

  private func tracks(_ node: Node, within length: Int, _ name: String) throws -> [Track] {
    guard case .sequence(let nodes) = node, !nodes.isEmpty else {
      throw error(node, "\(name) must be a list such as [1c, 3, 2]: cells with a c, or shares")
    }
    let tracks = try nodes.map { node -> Track in
      let text = node.string ?? ""
      if text.hasSuffix("c"), let cells = Int(text.dropLast()), (1...10_000).contains(cells) { return .cells(cells) }
      if let share = Double(text), share.isFinite, share > 0, share <= 1e6 { return .share(share) }
      throw error(node, "\(text.quotation) is not a size: write cells as 6c, or a share as 2")
    }
    let fixed = tracks.reduce(0) { sum, track in if case .cells(let count) = track { sum + count } else { sum } }
    guard fixed <= length else { throw error(node, "\(name) take \(fixed) cells, but only \(length) fit") }
    guard fixed == length || tracks.contains(where: { if case .share = $0 { true } else { false } }) else {
      throw error(node, "\(name) take \(fixed) of \(length) cells: give one of them a share for the rest")
    }
    return tracks
  }

  private func areas(_ node: Node, columns: Int, rows: Int) throws -> [[Panel?]] {
    let first = (node.mark?.line ?? 1) + 1
    let lines = (node.string ?? "").split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    func fail(_ row: Int, _ text: String) -> UserError { UserError(.data, "\(source):\(first + row): \(text)") }
    guard lines.count == rows else {
      throw error(node, "areas has \(lines.count) lines, but rows has \(rows) sizes")
    }
    var areas: [[Panel?]] = []
    for (row, words) in lines.enumerated() {
      guard words.count == columns else {
        throw fail(row, "this line names \(words.count) areas, but columns has \(columns) sizes")
      }
      areas.append(
        try words.map { word in
          if word == "." { return nil }
          guard let panel = Panel(rawValue: word) else {
            throw fail(row, "there is no panel \(word.quotation)" + suggestion(word, Panel.allCases.map(\.rawValue)))
          }
          return panel
        })
    }
    for panel in Panel.allCases {
      let places = areas.indices.flatMap { row in
        areas[row].indices.filter { areas[row][$0] == panel }.map { (row: row, column: $0) }
      }
      guard let top = places.first?.row, let bottom = places.last?.row else { continue }
      let left = places.map(\.column).min() ?? 0
      let right = places.map(\.column).max() ?? 0
      guard places.count == (bottom - top + 1) * (right - left + 1) else {
        throw fail(top, "the area of “\(panel.rawValue)” is not a rectangle")
      }
    }
    return areas
  }

  private func check(_ variant: Layout.Variant, _ settings: Layout.Settings, _ node: Node) throws {
    for (panel, rectangle) in variant.rectangles(columns: variant.columns, rows: variant.rows) {
      var (columns, rows) = panel.minimum
      if settings.boxless.contains(panel) { (columns, rows) = (max(columns - 2, 1), max(rows - 2, 1)) }
      guard rectangle.columns >= columns, rectangle.rows >= rows else {
        throw error(
          node,
          "“\(panel.rawValue)” needs \(columns)x\(rows) cells, but gets \(rectangle.columns)x\(rectangle.rows) of "
            + "\(variant.columns)x\(variant.rows)")
      }
    }
  }

  // MARK: Settings

  private func settings(_ node: Node) throws -> Layout.Settings {
    let panels = Panel.allCases.filter { !$0.isBar }
    let fields = try mapping(node, "panels", allowing: panels.map(\.rawValue))
    var settings = Layout.Settings()
    for panel in panels {
      guard let field = fields[panel.rawValue] else { continue }
      let keys = panel == .losses ? ["series", "x", "y", "smooth", "box"] : ["box"]
      let values = try mapping(field, "the panel “\(panel.rawValue)”", allowing: keys)
      if let box = values["box"] {
        guard let isBoxed = box.bool else { throw error(box, "box must be true or false") }
        if !isBoxed { settings.boxless.insert(panel) }
      }
      if let x = values["x"] {
        guard let axis = Axis(rawValue: x.string ?? "") else {
          let names = Axis.allCases.map(\.rawValue)
          throw error(x, "x has no \((x.string ?? "").quotation)" + suggestion(x.string ?? "", names))
        }
        settings.x = axis
      }
      if let y = values["y"] {
        guard let word = y.string, ["linear", "logarithmic"].contains(word) else {
          throw error(y, "y must be linear or logarithmic")
        }
        settings.isLogarithmic = word == "logarithmic"
      }
      if let smooth = values["smooth"] {
        guard let factor = smooth.float, (0...0.999).contains(factor) else {
          throw error(smooth, "smooth must be a number from 0 to 0.999")
        }
        settings.smoothing = factor
      }
      if let series = values["series"] { settings.series = try names(series) }
    }
    return settings
  }

  private func names(_ node: Node) throws -> [String] {
    guard case .sequence(let nodes) = node else {
      throw error(node, "series must be a list such as [loss/ntp, held-out/*]")
    }
    let known =
      Head.all.flatMap { ["loss/\($0.name)", "held-out/\($0.name)"] }
      + History.LossTrack.TrackQuantity.beside.map { "\($0.rawValue)/\(Head.ntp.name)" }
    return try nodes.map { node in
      let name = node.string ?? ""
      guard known.contains(where: { $0.matches(name) }) else {
        throw error(node, "there is no series \(name.quotation)" + suggestion(name, known))
      }
      return name
    }
  }
}

extension String {
  /// True if the name equals `pattern`, or begins with the part of `pattern` before its final `*`.
  func matches(_ pattern: String) -> Bool {
    pattern.hasSuffix("*") ? hasPrefix(pattern.dropLast()) : self == pattern
  }
}
