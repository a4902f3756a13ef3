// What was chosen comes back, and a broken page says where it is broken.
import Foundation
import Run
import Testing

@testable import Dashboard
@testable import TerminalUI

struct PreferenceTests {
  @Test func `a page that was written is read again`() throws {
    var preferences = Preferences()
    preferences.palette = "tol"
    preferences.glyphs = .blocks
    preferences.smoothing = 0.98
    preferences.x = .tokens
    preferences.isLogarithmic = true
    preferences.layout = "order"
    preferences.sort = "best"
    preferences.isReversed = false
    preferences.filter = #"name~"a\b" best<3"#
    #expect(try Preferences(yaml: preferences.yaml, source: "p") == preferences)
    #expect(try Preferences(yaml: Preferences().yaml, source: "p") == Preferences())
  }

  @Test(arguments: [
    ("palette: blue", "p:1: palette must be one of okabe, tol, day, and “blue” is not"),
    ("x: step\nsmoothing: 1", "p:2: smoothing must be a number from 0 to below 1"),
    ("pallete: tol", "p:1: there is no preference “pallete”; did you mean “palette”?"), ("[", "p:"),
    ("- 1", "p:1: preferences are “key: value” lines"),
  ])
  func `a broken page says where`(yaml: String, words: String) {
    let error = #expect(throws: UserError.self) { try Preferences(yaml: yaml, source: "p") }
    #expect(error?.message.hasPrefix(words) == true, "\(error?.message ?? "")")
  }

  @Test func `what is chosen on a dashboard is what differs from its beginning`() throws {
    var dashboard = MadeUpRun().dashboard(at: 20)
    let before = dashboard.chosen
    for key in "c+y" { _ = dashboard.press(.character(key)) }
    var preferences = Preferences()
    preferences.take(from: before, to: dashboard.chosen)
    #expect(preferences.palette == "tol" && preferences.smoothing == 0.95 && preferences.isLogarithmic == true)
    #expect(preferences.x == nil && preferences.layout == nil && preferences.glyphs == nil)
    var again = MadeUpRun().dashboard(at: 20)
    again.use(preferences)
    #expect(again.chosen == dashboard.chosen)
  }
}
