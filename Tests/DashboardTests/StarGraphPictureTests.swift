// The graph of the order panel.
import Run
import Testing
import TerminalUI

@testable import Dashboard

@Suite struct StarGraphPictureTests {
  // Source 3; branches 3-1-4 (goal 4) and 3-5-2, the edges shuffled.
  private static let prompt = "5 2 |3 1 |1 4 |3 5 /3 4 ="

  @Test func `branches, path and answer are read from the text of a sample`() throws {
    let right = try #require(StarGraphPicture(prompt: Self.prompt, text: "3 1 4 (right)", isReversed: false))
    #expect(right.branches == [[1, 4], [5, 2]] && right.path == [3, 1, 4] && right.isRight)
    let wrong = try #require(
      StarGraphPicture(prompt: Self.prompt, text: "3 5 2 (wrong, it is 3 1 4 )", isReversed: false))
    #expect(!wrong.isRight && wrong.written == [3, 5, 2])
    #expect(wrong.lines.map(\.text).contains("3 → 1 → 4  goal"))
    let reversed = try #require(StarGraphPicture(prompt: Self.prompt, text: "4 1 3 (right)", isReversed: true))
    #expect(reversed.isRight)
  }

  @Test(arguments: ["", "In the beginning", "1 2 /", "1 /2 3 =", "1 2 /1 5 =", "1 2 |2 1 /1 2 ="])
  func `what is no graph has no picture`(prompt: String) {
    #expect(StarGraphPicture(prompt: prompt, text: "1", isReversed: false) == nil)
  }
}
