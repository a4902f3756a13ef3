// foretop diff: compares two runs.
import ArgumentParser
import Dashboard
import Foundation
import Run
import RunFile
import TerminalUI

struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows where two runs differ: recipes, losses at equal steps, weights.",
    discussion: """
      The weights are compared at the last step of which both runs have a checkpoint, or else at the last checkpoint of \
      each run. --json prints one object per recipe key that differs, per step that both runs took, and per tensor.
      """)

  @Argument(help: ArgumentHelp("A run's name.", valueName: "a"))
  var a: String

  @Argument(help: ArgumentHelp("Another run's name.", valueName: "b"))
  var b: String

  @OptionGroup var output: JSONOption

  @OptionGroup var place: FolderOptions

  func run() throws {
    let pair = (a: try RunLookup.archive(a, in: place), b: try RunLookup.archive(b, in: place))
    compareRecipes(pair.a.recipe, pair.b.recipe)
    try compareCurves(pair.a, pair.b)
    try compareTensors(pair.a, pair.b)
  }

  // MARK: Recipes

  private func compareRecipes(_ a: Recipe, _ b: Recipe) {
    let fields = Recipe.fields.filter { $0.read(a) != $0.read(b) }
    if output.json {
      for field in fields {
        print(
          JSON.object([
            JSON.Member("key", .text(field.key)), JSON.Member("a", field.read(a).json),
            JSON.Member("b", field.read(b).json),
          ]).line)
      }
      return
    }
    guard !fields.isEmpty else {
      print("the recipes are the same")
      return
    }
    let rows = fields.map { [$0.key, Comparison.words($0.read(a)), Comparison.words($0.read(b))] }
    print(TextTable.text([["RECIPE", self.a, self.b]] + rows, right: [], cutTo: TextTable.usualCut))
  }

  // MARK: Losses

  private func compareCurves(_ a: StoredRun, _ b: StoredRun) throws {
    let heads = a.recipe.heads.filter(b.recipe.heads.contains)
    if output.json {
      return try a.forEachCommonStep(with: b) { step, left, right in
        print(
          JSON.object([
            JSON.Member("step", .integer(step)), JSON.Member("a", .object(left.json)),
            JSON.Member("b", .object(right.json)),
          ]).line)
      }
    }
    var equal: [Int] = []
    var differing: Int?
    try a.forEachCommonStep(with: b) { step, left, right in
      equal.append(step)
      if differing == nil, left != right { differing = step }
    }
    guard !equal.isEmpty else {
      print("\nthe runs have no step in common")
      return
    }
    print(
      "\n\(Figure.grouped(equal.count)) steps were taken by both: "
        + (differing.map { "the losses differ from step \(Figure.grouped($0)) on" }
          ?? "all losses are equal, to the bit"))
    // A dozen steps at most, the first and the last among them.
    let shown = equal.count <= 12 ? equal : (0..<12).map { equal[$0 * (equal.count - 1) / 11] }
    let header = ["STEP"] + heads.flatMap { ["\(self.a) \($0.name)", "\(self.b) \($0.name)", "B − A"] }
    guard differing != nil else { return }
    let (left, right) = (try a.losses(at: shown), try b.losses(at: shown))
    let rows = shown.indices.map { index in
      [Figure.grouped(shown[index])]
        + heads.flatMap { head in
          let pair = [left, right].map { $0[index].first { $0.head == head }.map { Double($0.loss) } ?? .nan }
          return [Figure.loss(pair[0]), Figure.loss(pair[1]), Figure.change(pair[1] - pair[0], Figure.loss)]
        }
    }
    print(TextTable.text([header] + rows, right: Set(0..<header.count)))
  }

  // MARK: Weights

  private func compareTensors(_ a: StoredRun, _ b: StoredRun) throws {
    let steps = (a: Set(try a.checkpoints().map(\.step)), b: Set(try b.checkpoints().map(\.step)))
    guard !steps.a.isEmpty, !steps.b.isEmpty else {
      if !output.json { print("\nno weights to compare: run “\(steps.a.isEmpty ? a.name : b.name)” has no checkpoint") }
      return
    }
    let common = steps.a.intersection(steps.b).max()
    let left = try RunLookup.checkpoint(of: a, step: common)
    let right = try RunLookup.checkpoint(of: b, step: common)
    let differences = TensorDifference.all(left, right)
    if output.json {
      for difference in differences { print(difference.json(left.state.step, right.state.step).line) }
      return
    }
    print(
      common.map { "\nweights at step \(Figure.grouped($0)):" }
        ?? "\nthe runs share no step with a checkpoint: weights at steps \(left.state.step) and \(right.state.step):")
    print(TextTable.text([TensorDifference.header] + differences.map(\.cells), right: [2, 3]))
  }
}

extension TensorDifference {
  fileprivate static let header = ["TENSOR", "SHAPE", "NORM OF A − B", "OF A’S NORM"]

  fileprivate var cells: [String] {
    guard let norm, let base else {
      let words = [shapes.a, shapes.b].map { $0.map(TextTable.shape) ?? "none" }
      return [path, words.joined(separator: " and "), "", ""]
    }
    let share = base > 0 ? Figure.fixed(norm / base * 100, 2) + " %" : ""
    return [path, shapes.a.map(TextTable.shape) ?? "", Figure.rate(norm), norm == 0 ? "" : share]
  }

  fileprivate func json(_ a: Int, _ b: Int) -> JSON {
    var members = [
      JSON.Member("tensor", .text(path)), JSON.Member("stepA", .integer(a)), JSON.Member("stepB", .integer(b)),
    ]
    if let shape = shapes.a { members.append(JSON.Member("shapeA", .array(shape.map(JSON.integer)))) }
    if let shape = shapes.b { members.append(JSON.Member("shapeB", .array(shape.map(JSON.integer)))) }
    if let norm { members.append(JSON.Member("norm", .double(norm))) }
    if let base { members.append(JSON.Member("normA", .double(base))) }
    return .object(members)
  }
}
