// The tensors screen: a tree that opens and closes, what is read when, and what is to be seen of a tensor.
import Foundation
import Support
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct TensorsScreenTests {
  private let paths = [
    "model/embed_tokens/weight", "model/layers/0/self_attn/q_proj/weight", "model/layers/0/mlp/up_proj/weight",
    "model/layers/1/self_attn/q_proj/weight", "model/norm/weight",
  ]

  private var tensors: [Checkpoint.Tensor] {
    paths.enumerated().map { index, path in
      Checkpoint.Tensor(path: path, shape: path.contains("norm") ? [32] : [16, 32], offset: index * 512)
    }
  }

  private func numbers(_ seed: UInt64) -> [Float] {
    var dice = Dice(seed)
    return (0..<5 * 512).map { _ in Float.random(in: -1...1, using: &dice) * Float.random(in: 0...1, using: &dice) }
  }

  /// A screen that has read everything that it wants.
  private func screen(_ steps: [Int] = [100, 200, 300]) -> TensorsScreen {
    var screen = TensorsScreen(name: "kjv-top")
    read(&screen, steps)
    return screen
  }

  func read(_ screen: inout TensorsScreen, _ steps: [Int] = [100, 200, 300]) {
    while let reading = screen.nextReading {
      screen.expect(reading)
      #expect(screen.nextReading == nil, "one thing is read at a time")
      switch reading {
      case .tree(let step, let against):
        let step = step ?? steps.last!
        let other = against ?? steps.last { $0 < step } ?? steps.first { $0 > step }
        screen.take(TensorTree(step: step, against: other, steps: steps, tensors))
      case .numbers(let paths, let step, let against):
        let wanted = tensors.filter { paths.contains($0.path) }
        screen.take(
          TensorNumbers.all(
            wanted, numbers(UInt64(step)), against: against.map { (tensors, numbers(UInt64($0))) }),
          step: step, against: against)
      case .detail(let path, let step):
        let tensor = tensors.first { $0.path == path }!
        screen.take(TensorDetail(tensor, in: numbers(UInt64(step)), step: step))
      case .moment(let path, let step):
        let tensor = tensors.first { $0.path == path }!
        screen.take(TensorMoment(TensorSummary(tensor, in: numbers(UInt64(step)))), of: path, step: step)
      }
    }
  }

  @Test(arguments: ["20x4", "40x12", "80x24", "120x36", "220x60"])
  func `it can be drawn at any size, before and after it is read`(size text: String) throws {
    let size = text.split(separator: "x").compactMap { Int($0) }
    _ = TensorsScreen(name: "kjv-top").draw(size: (size[0], size[1]))
    let canvas = screen().draw(size: (size[0], size[1]))
    #expect(canvas.text.contains("tensors") && canvas.text.contains("300") || size[0] < 80)
    #expect(size[0] < 40 || canvas.text.contains("norm"), "\(canvas.text)")
    if text == "120x36" { try expectPicture("tensors-120x36", canvas) }
  }

  @Test(arguments: [20, 24, 30]) func `a narrow tree has the norms beside the names`(columns: Int) {
    let norm = TensorsScreen.figure(TensorSummary(tensors[0], in: numbers(300)).norm)
    let text = screen().draw(size: (columns, 4)).text
    #expect(text.contains(" \(norm)"), "\(norm):\n\(text)")
  }

  @Test func `a narrow header says what its numbers are`() {
    let header = screen().draw(size: (60, 16)).text.split(separator: "\n").first ?? ""
    #expect(header.contains("step 300 against 200") && header.contains("tensors"), "\(header)")
  }

  @Test func `everything is read once, the tree first`() {
    var screen = TensorsScreen(name: "kjv-top")
    #expect(screen.nextReading == .tree(step: nil, against: nil))
    read(&screen)
    #expect(screen.details.count == 1 && screen.moments[paths[0]]?.count == 3)
    _ = screen.press(.down)
    // A group has nothing of its own.
    #expect(screen.chosenPath == nil && screen.nextReading == nil)
    _ = screen.press(.down)
    #expect(screen.nextReading == .detail(path: paths[1], step: 300))
    read(&screen)
    _ = screen.press(.character("["))
    #expect(screen.nextReading == .tree(step: 200, against: nil))
    read(&screen)
    #expect(screen.tree?.step == 200 && screen.tree?.against == 100 && screen.chosenPath == paths[1])
  }

  @Test func `names and shapes are shown first, and numbers as they come, those on the screen before others`() {
    var screen = TensorsScreen(name: "kjv-top")
    screen.fit(columns: 120, rows: 36)
    screen.expect(screen.nextReading!)
    screen.take(TensorTree(step: 300, against: 200, steps: [200, 300], tensors))
    let text = screen.draw(size: (120, 36)).text
    #expect(text.contains("q_proj") && text.contains("16 × 32") && text.contains("…") && !text.contains("nan"))
    #expect(screen.nextReading == .numbers(paths: paths, step: 300, against: 200))
    let first = TensorNumbers.all([tensors[0]], numbers(300), against: (tensors, numbers(200)))
    screen.take(first, step: 300, against: 200)
    #expect(screen.nextReading == .numbers(paths: Array(paths[1...]), step: 300, against: 200))
    // A closed group waits for all of its tensors.
    _ = screen.press(.down)
    _ = screen.press(.left)
    #expect(screen.draw(size: (120, 36)).text.contains("…"))
    read(&screen, [200, 300])
    #expect(!screen.draw(size: (120, 36)).text.contains("…"))
    // Numbers that come late change nothing.
    _ = screen.press(.character("["))
    read(&screen, [200, 300])
    let before = screen.draw(size: (120, 36)).text
    screen.take(first, step: 300, against: 200)
    #expect(screen.draw(size: (120, 36)).text == before)
  }

  @Test func `large tensors are read one by one`() {
    var screen = TensorsScreen(name: "large")
    screen.expect(screen.nextReading!)
    let large = (0..<3).map { Checkpoint.Tensor(path: "model/\($0)", shape: [3000, 1000], offset: $0 * 3_000_000) }
    screen.take(TensorTree(step: 1, against: nil, steps: [1], large))
    #expect(screen.nextReading == .numbers(paths: ["model/0"], step: 1, against: nil))
  }

  @Test func `another checkpoint takes the place of one whose numbers cannot be read`() {
    var screen = TensorsScreen(name: "kjv-top")
    screen.expect(screen.nextReading!)
    screen.take(TensorTree(step: 300, against: 200, steps: [100, 200, 300], tensors))
    screen.expect(screen.nextReading!)
    screen.fail(step: 200, "200 is damaged")
    #expect(screen.nextReading == .tree(step: 300, against: nil))
    screen.expect(screen.nextReading!)
    screen.take(TensorTree(step: 300, against: 100, steps: [100, 200, 300], tensors))
    screen.expect(screen.nextReading!)
    screen.fail(step: 300, "300 is damaged")
    #expect(screen.nextReading == .tree(step: nil, against: nil))
    // Where that cannot be read either, nothing is asked for again and again.
    screen.expect(screen.nextReading!)
    screen.fail("all are damaged")
    #expect(screen.nextReading == nil)
    let text = screen.draw(size: (120, 36)).text
    #expect(text.contains("all are damaged") && text.contains("–") && !text.contains("…"))
  }

  @Test func `groups close and open, sorting takes the tree apart, and a filter lists what has a text`() {
    var screen = screen()
    #expect(screen.lines.count == 7)
    _ = screen.press(.down)
    _ = screen.press(.left)
    #expect(screen.lines.count == 5 && screen.chosenLine?.isGroup == true)
    _ = screen.press(.right)
    #expect(screen.lines.count == 7)
    _ = screen.press(.character("s"))
    #expect(screen.lines.count == 5 && screen.order == .norm)
    // The tensor stays chosen, not the row.
    let path = screen.chosenPath
    #expect(path == paths[1])
    for _ in 0..<4 {
      _ = screen.press(.character("s"))
      #expect(screen.chosenPath == path)
    }
    _ = screen.press(.character("s"))
    let norms = screen.lines.map { screen.tree!.rows[$0.rows[0]].numbers!.summary.norm }
    #expect(norms == norms.sorted(by: >))
    _ = screen.press(.character("/"))
    for character in "Q_PROJ" { _ = screen.press(.character(character)) }
    _ = screen.press(.enter)
    #expect(screen.lines.count == 2)
    _ = screen.press(.character("/"))
    _ = screen.press(.escape)
    #expect(screen.lines.count == 5)
  }

  @Test func `what cannot be read is said and not asked for again`() {
    var screen = TensorsScreen(name: "kjv-top")
    screen.expect(screen.nextReading!)
    screen.fail("run “kjv-top” has no checkpoint yet")
    #expect(screen.nextReading == nil)
    #expect(screen.draw(size: (80, 24)).text.contains("no checkpoint yet"))
    #expect(screen.press(.character("q")) == .left)
  }

  @Test func `statistics are those of the numbers`() {
    let tensor = Checkpoint.Tensor(path: "a", shape: [2, 3], offset: 1)
    // Singular values of [[3, 0, 0], [0, 4, 0]].
    let block: [Float] = [9, 3, 0, 0, 0, 4, 0, 9]
    let singular = SingularValues(tensor, in: block, count: 2)!
    #expect(zip(singular.values, [4.0, 3]).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(singular.rank == 2 && abs(singular.share - 1) < 1e-9 && singular.isConverged)
    #expect(SingularValues(Checkpoint.Tensor(path: "a", shape: [6], offset: 1), in: block) == nil)
    #expect(SingularValues(tensor, in: [0, .nan, 0, 0, 0, 4, 0, 0]) == nil)
    let map = HeatMap(tensor, in: block, most: (2, 3))
    #expect(map.means == [3, 0, 0, 0, 4, 0] && HeatMap.usualRange(of: map.means)! == (0, 4, 16))
    #expect(HeatMap(tensor, in: block, most: (1, 1)).means == [7.0 / 6])
  }

  @Test func `one number far from all others hides none of them`() throws {
    var dice = Dice(for: "an outlier")
    var block = dice.floats(4096)
    block[1234] = 1000
    let tensor = Checkpoint.Tensor(path: "a", shape: [64, 64], offset: 0)
    let range = try #require(HeatMap.usualRange(of: HeatMap(tensor, in: block).means))
    #expect(range.high < 1.1 && range.outlier < 5)
    let histogram = Histogram(tensor, in: block, parts: 40, leavesOutliers: true)
    #expect(histogram.outside == 1 && histogram.counts.reduce(0, +) == 4095)
    // Many zeros are no outliers, and stay in the picture with all others.
    for index in block.indices where index % 20 != 0 { block[index] = 0 }
    block[1234] = 0
    let zeros = Histogram(tensor, in: block, parts: 40, leavesOutliers: true)
    #expect(zeros.outside == 0 && zeros.counts.reduce(0, +) == 4096)
    #expect(HeatMap.usualRange(of: [Float](repeating: 2, count: 9) + [.nan])! == (2, 2, 2))
    #expect(HeatMap.usualRange(of: [.nan]) == nil)
  }

  @Test(arguments: [1, 2, 3])
  func `the singular values of a product of thin matrices are found`(seed: UInt64) {
    // A · B with 40 × 3 and 3 × 24: of rank 3, whose squares of singular values sum up to the square of the norm.
    var dice = Dice(seed)
    let a = (0..<120).map { _ in Float.random(in: -1...1, using: &dice) }
    let b = (0..<72).map { _ in Float.random(in: -1...1, using: &dice) }
    var product = [Float](repeating: 0, count: 960)
    for row in 0..<40 {
      for column in 0..<24 { for k in 0..<3 { product[row * 24 + column] += a[row * 3 + k] * b[k * 24 + column] } }
    }
    let singular = SingularValues(Checkpoint.Tensor(path: "a", shape: [40, 24], offset: 0), in: product)!
    #expect(singular.values.count == 8 && singular.values[3...].allSatisfy { $0 < 1e-4 * singular.values[0] })
    #expect(abs(singular.share - 1) < 1e-6)
    #expect(singular.values == singular.values.sorted(by: >))
  }
}
