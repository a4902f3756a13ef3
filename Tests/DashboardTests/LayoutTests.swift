// Layout files: what is shipped, what is wrong with others, and what fits where.
import Foundation
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct LayoutTests {
  @Test func `the built-in train layout is the file's`() throws {
    let layouts = try shippedLayouts()
    #expect(layouts.first { $0.name == "train" } == .train)
    #expect(layouts.map(\.name) == ["train", "order", "throughput", "small", "memory", "diagnostics", "heads"])
    #expect(layouts.map(\.key) == [1, 2, 3, 4, 5, 6, 7])
  }

  /// Panels cover a screen of this size, each cell once, when none lies outside, no two share a cell, and they have as many cells.
  private func expectCover(
    _ places: [(panel: Panel, rectangle: Rectangle)], _ columns: Int, _ rows: Int, _ name: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let screen = Rectangle(column: 0, row: 0, columns: columns, rows: rows)
    for (index, place) in places.enumerated() where !place.rectangle.isEmpty {
      #expect(
        place.rectangle.intersection(screen) == place.rectangle,
        "\(name) \(columns)x\(rows): \(place.panel) lies outside", sourceLocation: sourceLocation)
      for other in places[..<index] where !place.rectangle.intersection(other.rectangle).isEmpty {
        Issue.record(
          "\(name) \(columns)x\(rows): \(place.panel) and \(other.panel) overlap", sourceLocation: sourceLocation)
      }
    }
    let covered = places.reduce(0) { $0 + $1.rectangle.columns * $1.rectangle.rows }
    #expect(covered == columns * rows, "\(name) leaves cells of \(columns)x\(rows)", sourceLocation: sourceLocation)
  }

  @Test func `every shipped layout covers every size without an overlap`() throws {
    for layout in try shippedLayouts() {
      for columns in [1, 2, 19, 20, 39, 40, 59, 60, 79, 80, 100, 119, 120, 169, 170, 220, 500] {
        for rows in [1, 2, 3, 4, 7, 8, 11, 12, 15, 16, 23, 24, 29, 30, 36, 47, 48, 60, 200] {
          expectCover(layout.arrangement(columns: columns, rows: rows), columns, rows, layout.name)
        }
      }
    }
  }

  @Test func `neighbours take the room of panels that a run has nothing for`() throws {
    let absent: Set<Panel> = [.order, .memory, .tokens, .collapse, .diagnostics]
    let sizes = [
      (40, 12), (80, 24), (80, 36), (120, 30), (120, 36), (170, 48), (200, 30), (220, 60), (300, 80),
    ]
    for layout in try shippedLayouts() {
      for (columns, rows) in sizes {
        let before = layout.arrangement(columns: columns, rows: rows)
        let places = Layout.fill(before, without: absent)
        expectCover(places, columns, rows, layout.name)
        // Where there is nothing else, they say why they are empty.
        let others = before.map(\.panel).filter { !$0.isBar && $0 != .events && !absent.contains($0) }
        let left = places.map(\.panel).filter { absent.contains($0) }
        #expect(left.isEmpty || others.isEmpty, "\(layout.name) \(columns)x\(rows): \(left)")
      }
    }
    let train = Layout.fill(Layout.train.arrangement(columns: 120, rows: 36), without: [.order])
    #expect(train.first { $0.panel == .heads }?.rectangle.rows == 18)
  }

  private static let good = """
    name: mine
    key: 7
    variants:
      - fits: 80x24
        columns: [3, 44c]
        rows: [1c, 2, 1c]
        areas: |
          status status
          losses order
          keys   keys
    panels:
      losses: { series: [loss/*, held-out/top], x: tokens, y: logarithmic, smooth: 0.95 }
      order: { box: false }
    """

  @Test func `a good layout is read as it is written`() throws {
    let layout = try Layout(yaml: Self.good, source: "mine.yaml")
    #expect(layout.key == 7)
    #expect(layout.settings.x == .tokens)
    #expect(layout.settings.isLogarithmic == true)
    #expect(layout.settings.smoothing == 0.95)
    #expect(layout.settings.series == ["loss/*", "held-out/top"])
    #expect(layout.settings.boxless == [.order])
    let places = layout.arrangement(columns: 100, rows: 30)
    #expect(places.first { $0.panel == .order }?.rectangle == Rectangle(column: 56, row: 1, columns: 44, rows: 28))
    #expect(layout.arrangement(columns: 79, rows: 24).map(\.panel) == [.status])
    let shaped = Self.good.replacing("loss/*, held-out/top", with: "trained/*, entropy/ntp")
    #expect(try Layout(yaml: shaped, source: "mine.yaml").settings.series == ["trained/*", "entropy/ntp"])
  }

  /// What is replaced, by what, and what the message must hold.
  @Test(
    arguments: [
      ("losses order\n", "loses order\n", ["mine.yaml:9:", "“loses”", "“losses”"]),
      ("columns: [3, 44c]", "colums: [3, 44c]", ["mine.yaml:5:", "“colums”", "“columns”"]),
      ("losses order\n", "losses losses\n", ["mine.yaml:9:"]),
      ("keys   keys", "order keys", ["mine.yaml:9:", "“order”", "not a rectangle"]),
      ("[3, 44c]", "[90c, 44c]", ["mine.yaml:5:", "134 cells", "80"]),
      ("[3, 44c]", "[3, 44d]", ["mine.yaml:5:", "“44d”"]),
      ("[3, 44c]", "[3, -1]", ["mine.yaml:5:", "“-1”"]),
      ("[3, 44c]", "[10c, 44c]", ["mine.yaml:5:", "54 of 80"]),
      ("[3, 44c]", "[3, 70c]", ["mine.yaml:4:", "“losses” needs 24x6", "10x22"]),
      ("[1c, 2, 1c]", "[1c, 2]", ["3 lines", "2 sizes"]),
      ("status status", "status", ["mine.yaml:8:", "1 areas", "2 sizes"]),
      ("fits: 80x24", "fits: large", ["mine.yaml:4:", "80x24"]),
      ("key: 7", "key: 0", ["mine.yaml:2:", "1 to 9"]),
      ("key: 7\n", "", ["mine.yaml:1:", "“key” is missing"]),
      ("x: tokens", "x: token", ["mine.yaml:12:", "“token”", "“tokens”"]),
      ("y: logarithmic", "y: log", ["mine.yaml:12:", "logarithmic"]),
      ("smooth: 0.95", "smooth: 1.5", ["mine.yaml:12:", "0 to 0.999"]),
      ("smooth: 0.95", "smoth: 0.95", ["mine.yaml:12:", "“smoth”", "“smooth”"]),
      ("held-out/top", "heldout/top", ["mine.yaml:12:", "“heldout/top”", "“held-out/top”"]),
      ("order: { box: false }", "ordre: { box: false }", ["mine.yaml:13:", "“ordre”", "“order”"]),
      ("box: false", "box: maybe", ["mine.yaml:13:", "true or false"]),
      ("name: mine", "name: [", ["mine.yaml"]),
      ("variants:", "varaints:", ["mine.yaml:3:", "“varaints”", "“variants”"]),
    ] as [(String, String, [String])])
  func `what is wrong is said with its line and what is right`(old: String, new: String, parts: [String]) throws {
    #expect(Self.good.contains(old))
    let yaml = Self.good.replacing(old, with: new, maxReplacements: 1)
    do {
      let layout = try Layout(yaml: yaml, source: "mine.yaml")
      // Leaving a panel out is no error.
      #expect(new == "losses losses\n" && layout.name == "mine", "\(new) was taken")
    } catch let error as UserError {
      for part in parts { #expect(error.message.contains(part), "“\(error.message)” lacks “\(part)”") }
    }
  }

  @Test(arguments: [
    "", "- 1", "name", "{}", "name: a\nkey: 1\nvariants: []", "name: a\nkey: 1\nvariants: [3]", "a: &b [*b]",
    String(repeating: "[", count: 100_000), String(repeating: "- ", count: 100_000),
    String(repeating: "a: &a [*a]\n", count: 20), String(repeating: "#", count: 300_000),
  ])
  func `files that are no layouts are refused with a sentence`(yaml: String) {
    #expect(throws: UserError.self) { try Layout(yaml: yaml, source: "mine.yaml") }
  }
}
