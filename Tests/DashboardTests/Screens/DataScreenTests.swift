// The data screen: positions, windows, documents and targets.
import Foundation
import Testing

@testable import Dashboard
@testable import TerminalUI

struct DataScreenTests {
  private let words = "In the beginning God created the heaven and the earth .␊ And the earth was without form".split(
    separator: " "
  ).map { " " + $0 }

  func page(_ number: Int) -> DataPage {
    let text = (0..<64).map { words[($0 + number) % words.count] }
    let documents = (0..<64).map { $0 < 40 ? 0 : 1 }
    return DataPage(
      number: number, tokens: (0..<64).map { 100 + $0 }, text: text, documents: documents,
      mask: (0..<64).map { $0 != 39 }, next: (0..<64).map { $0 == 39 ? nil : 101 + $0 },
      ahead: (0..<64).map { position in
        (1...3).map { (position < 40) == (position + $0 < 40) ? words[(position + $0) % words.count] : nil }
      },
      order: (0..<64).map { position in
        position == 39
          ? []
          : (1...6).map {
            DataPage.PageTarget(
              token: position + $0, text: words[(position + $0) % words.count], weight: pow(0.37, Double($0)),
              distance: $0)
          }
      })
  }

  var screen: DataScreen {
    let summary = DataSummary(
      name: "default", corpus: "kjv.txt · 4.1 MB", files: 1, documents: 2, bytes: 4_100_000, trainingTokens: 990_000,
      heldOutTokens: 52_000, vocabulary: 4096, unigramEntropy: 5.98, context: 64, windows: 3, tokensPerStep: 4096,
      steps: 1000, orderWindow: 64, multiTokenHeads: 3,
      commonest: [
        DataSummary.TokenCount(token: 1, text: ",", count: 67_000),
        DataSummary.TokenCount(token: 2, text: " the", count: 59_000),
      ], counted: 990_000)
    return DataScreen(summary, page(0))
  }

  @Test(arguments: ["20x4", "40x12", "80x24", "120x36", "220x60"])
  func `it can be drawn at any size`(size text: String) throws {
    let size = text.split(separator: "x").compactMap { Int($0) }
    let canvas = screen.draw(size: (size[0], size[1]), now: 0)
    if size[0] >= 80 {
      for word in ["beginning", "ntp", "top", "ahead  weight", "documents"] {
        #expect(canvas.text.contains(word), "\(word)\n\(canvas.text)")
      }
    }
    if text == "120x36" { try expectPicture("data-120x36", canvas) }
  }

  @Test(arguments: [(40, 12), (40, 9), (60, 15), (60, 16), (80, 8), (120, 9)])
  func `a low terminal shows the targets too`(columns: Int, rows: Int) {
    var screen = screen
    screen.fit(columns: columns, rows: rows)
    let canvas = screen.draw(size: (columns, rows), now: 0)
    // Position 21 and the token after it, which is NTP's target and the first one of TOP.
    for word in ["“ created”", "ntp", "“ the”", "top"] {
      #expect(canvas.text.contains(word), "\(word)\n\(canvas.text)")
    }
    canvas.expectSound()
    // What there is room for are targets, not titles; the other ones of the six are counted.
    let weights = canvas.text.matches(of: /” \.\d{3}/).count
    #expect(weights >= 2 && (weights == 6 || canvas.text.contains("+\(6 - weights)")), "\(canvas.text)")
    for _ in 0..<18 { _ = screen.press(.right) }
    #expect(screen.position == 39)
    let end = screen.draw(size: (columns, rows), now: 0)
    #expect(end.text.contains("its document ends"), "\(end.text)")
    #expect(screen.draw(size: (columns, 5), now: 0).text.contains("window"))
  }

  @Test func `the windows after the chosen one fill the room below it`() {
    var screen = screen
    screen.fit(columns: 120, rows: 36)
    while let number = screen.wantedWindow { screen.follow(with: page(number)) }
    #expect(screen.following.map(\.number) == [1, 2])
    let text = screen.draw(size: (120, 36), now: 0).text
    for word in ["window 0", "window 1", "window 2"] { #expect(text.contains(word), "\(word)\n\(text)") }
    for size in [(20, 4), (40, 12), (80, 24), (220, 60)] { screen.draw(size: size, now: 0).expectSound() }
    // A low terminal has no room, and a window that cannot be read is asked for once.
    var low = self.screen
    low.fit(columns: 40, rows: 6)
    #expect(low.wantedWindow == nil)
    low.fit(columns: 120, rows: 36)
    low.follow(with: nil)
    #expect(low.wantedWindow == nil)
    low.take(page(1))
    #expect(low.wantedWindow == 2)
  }

  @Test func `the position and the window are chosen by keys`() {
    var screen = screen
    _ = screen.press(.home)
    #expect(screen.position == 0)
    _ = screen.press(.right)
    #expect(screen.position == 1)
    _ = screen.press(.down)
    #expect(screen.position > 5)
    _ = screen.press(.character("d"))
    #expect(screen.position == 40)
    #expect(screen.press(.character("d")) == .document && screen.position == 40)
    _ = screen.press(.left)
    #expect(screen.draw(size: (120, 36), now: 0).text.contains("its document ends: no loss counts here"))
    #expect(screen.press(.character("[")) == nil && screen.message.contains("first window"))
    #expect(screen.press(.character("]")) == .window(1))
    screen.take(page(1))
    #expect(screen.position == 39)
    #expect(screen.press(.character("}")) == .window(2))
    #expect(screen.press(.character("R")) == .runs)
    #expect(screen.press(.character("q")) == .leave)
  }

  /// A window inside one document.
  private func plain(_ number: Int) -> DataPage {
    let page = self.page(number)
    return DataPage(
      number: number, tokens: page.tokens, text: page.text, documents: page.documents?.map { _ in 0 }, mask: page.mask,
      next: page.next, ahead: page.ahead, order: page.order)
  }

  @Test func `the next document is looked for in the following windows`() {
    var summary = self.screen.summary
    summary.windows = 5000
    var screen = DataScreen(summary, plain(0))
    #expect(screen.press(.character("d")) == .document)
    screen.findDocument {
      $0 == 7 ? page($0) : plain($0)
    } until: {
      false
    }
    #expect(screen.page.number == 7 && screen.position == 40 && screen.message.isEmpty)
    // The search has an end, after which the window stays.
    var last = 0
    func lookedFor(_ number: Int) -> DataPage {
      last = number
      return plain(number)
    }
    screen.findDocument(lookedFor) { false }
    #expect(screen.page.number == 7 && screen.position == 40 && last < 5000)
    #expect(screen.message == "no document begins inside the next 1 000 windows")
    screen.findDocument(lookedFor) { true }
    #expect(last == 8 && screen.message == "no document begins inside the next window")
    screen.take(plain(4999))
    #expect(screen.press(.character("d")) == nil && screen.message.contains("last window"))
  }

  @Test func `data that is made as it is needed has no files, and its numbers fit`() {
    var summary = screen.summary
    (summary.files, summary.bytes, summary.windows, summary.context) = (0, 0, 1_099_511_627_776, 25)
    let text = DataScreen(summary, page(0)).draw(size: (120, 36), now: 0).text
    for word in ["files  ", "bytes  ", "bytes a token"] { #expect(!text.contains(word), "\(word)\n\(text)") }
    #expect(text.contains("1.1 T of 25 tokens"), "\(text)")
  }
}
