// A dozen states as whole pictures, characters and styles; every other state by what must be seen in it.
import Foundation
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct PictureTests {
  static let sizes = ["20x4", "40x12", "60x16", "80x24", "100x40", "120x36", "132x43", "220x60"]
  let run = MadeUpRun()

  func size(_ text: String) -> (columns: Int, rows: Int) {
    let parts = text.split(separator: "x").compactMap { Int($0) }
    return (parts[0], parts[1])
  }

  func press(_ keys: [Key], _ dashboard: inout Dashboard) {
    for key in keys { _ = dashboard.press(key) }
  }

  /// Draws at a size and expects these words to be seen, in any place.
  func expect(
    _ words: String..., in dashboard: Dashboard, _ text: String = "80x24", now step: Int = 300,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let picture = dashboard.draw(size: size(text), now: run.now(step)).text
    for word in words {
      #expect(picture.contains(word), "\(word) is not on the screen:\n\(picture)", sourceLocation: sourceLocation)
    }
  }

  // MARK: Whole pictures

  @Test(arguments: ["20x4", "40x12", "80x24", "120x36", "220x60"])
  func `a run in training looks as it did`(size text: String) throws {
    let dashboard = run.dashboard(at: 1284)
    try expectPicture("training-\(text)", dashboard.draw(size: size(text), now: run.now(1284)))
  }

  @Test func `help, a prompt and a pause look as they did`() throws {
    for (name, keys, text) in [
      ("help", [Key.character("?")], "80x24"),
      ("prompt", [.character("l")] + "3e-4".map { .character($0) }, "80x24"),
    ] {
      var dashboard = run.dashboard(at: 300)
      press(keys, &dashboard)
      try expectPicture("\(name)-\(text)", dashboard.draw(size: size(text), now: run.now(300)))
    }
    var paused = run.dashboard(at: 300)
    paused.receive(run.occurred(.pause, 300, "paused", by: .key))
    try expectPicture("paused-40x12", paused.draw(size: (40, 12), now: run.now(300)))
  }

  @Test func `a run that starts and the layout of order look as they did`() throws {
    try expectPicture("starting-80x24", run.dashboard(at: 0).draw(size: (80, 24), now: run.now(0)))
    var dashboard = Dashboard(.live, layouts: try shippedLayouts(), startingWith: "order")
    for event in run.events(to: 1284) { dashboard.receive(event) }
    try expectPicture("order-120x36", dashboard.draw(size: (120, 36), now: run.now(1284)))
  }

  // MARK: What must hold at every size

  @Test(arguments: sizes)
  func `panels are on the screen and do not overlap`(size text: String) throws {
    let (columns, rows) = size(text)
    for layout in try shippedLayouts() {
      let arrangement = layout.arrangement(columns: columns, rows: rows).map(\.rectangle).filter { !$0.isEmpty }
      var owners = [Int?](repeating: nil, count: columns * rows)
      for (panel, rectangle) in arrangement.enumerated() {
        #expect(rectangle.column >= 0 && rectangle.end <= columns && rectangle.row >= 0 && rectangle.bottom <= rows)
        for row in rectangle.row..<rectangle.bottom {
          for column in rectangle.column..<rectangle.end {
            let owner = owners[row * columns + column]
            #expect(owner == nil || owner == panel, "two panels share \(column), \(row) of \(layout.key) at \(text)")
            owners[row * columns + column] = panel
          }
        }
      }
    }
  }

  @Test(arguments: sizes)
  func `the screen shows the last losses, the state and the way out`(size text: String) throws {
    let (columns, rows) = size(text)
    let dashboard = run.dashboard(at: 1284)
    expect("ntp 3.1", "q quit".prefix(columns < 40 ? 1 : 6).description, "?", in: dashboard, text, now: 1284)
    expect("● training", in: dashboard, text, now: 1284)
    if columns >= 80 { expect("total 6.946", "1 284", "2 000", " tok/s", in: dashboard, text, now: 1284) }
    let canvas = dashboard.draw(size: (columns, rows), now: run.now(1284))
    #expect(canvas.columns == columns && canvas.rows == rows)
  }

  @Test(arguments: sizes)
  func `every key of the key bar is a key of the table`(size text: String) throws {
    let (columns, rows) = size(text)
    let canvas = run.dashboard(at: 300).draw(size: (columns, rows), now: run.now(300))
    let known = Set(KeyTable.lines.flatMap { $0.keys.split(separator: " ").map(String.init) })
    // Names of keys are bold there, what they do is not.
    var names: [String] = []
    var isInside = false
    for column in 0..<columns {
      let cell = canvas[column, rows - 1]
      let isName = cell.style.attributes.contains(.bold) && cell.character != " "
      if isName { isInside ? names[names.count - 1].append(cell.character) : names.append(String(cell.character)) }
      isInside = isName
    }
    #expect(names.count >= 4)
    for name in names { #expect(known.contains(name), "\(name) is not in the table: \(known)") }
  }
}

/// The layouts in `layouts/`, by key.
func shippedLayouts() throws -> [Layout] {
  let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  let folder = root.appending(path: "layouts")
  let files = try FileManager.default.contentsOfDirectory(atPath: folder.path()).filter { $0.hasSuffix(".yaml") }
  return try files.map { name in
    try Layout(yaml: String(contentsOf: folder.appending(path: name), encoding: .utf8), source: "layouts/" + name)
  }.sorted { $0.key < $1.key }
}
