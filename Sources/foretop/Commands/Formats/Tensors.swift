// foretop tensors: the weights of a checkpoint in numbers.
import ArgumentParser
import Dashboard
import Foundation
import Run
import RunFile
import TerminalUI

struct Tensors: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows the tensors of a run's checkpoints: on a screen, or as text with statistics.",
    discussion: """
      On a terminal, a screen shows the tensors of a checkpoint as a tree, with their differences from another \
      checkpoint; for the chosen tensor, a histogram, a heat map, the leading singular values, and the norm and \
      deviation in every stored checkpoint. ? lists the keys. Without a terminal, with --text or --json, or with \
      --tensor, the statistics are printed.

      Mean, standard deviation, minimum and maximum are over the finite values. With --tensor, only that tensor is \
      listed, with a histogram of its values. A tensor's name may be written with “/” or “.”. --against adds two \
      columns: the norm of the difference as a share of the tensor's norm, and the cosine between both tensors. --json \
      prints one object per tensor.
      """)

  @OptionGroup var which: RunArgument

  @OptionGroup var choice: CheckpointOption

  @Option(help: ArgumentHelp("The step of another checkpoint to compare with.", valueName: "n"))
  var against: CheckpointChoice?

  @Option(help: ArgumentHelp("One tensor, such as model/layers/0/mlp/up_proj/weight.", valueName: "path"))
  var tensor: String?

  @OptionGroup var shown: ShowingOptions

  func run() throws {
    if !shown.isPrinted, tensor == nil, let status = try showScreen() { throw Ended(status: status) }
    let checkpoint = try RunLookup.checkpoint(which.name, in: shown.place, step: choice.step)
    let other = try against.map { try RunLookup.checkpoint(which.name, in: shown.place, step: $0) }
    if let tensor {
      try show(Self.tensor(named: tensor, in: checkpoint), of: checkpoint, against: other)
      return
    }
    let rows = rows(checkpoint.tensors, of: checkpoint, against: other)
    if shown.json {
      for row in rows { print(JSON.object(row.members).line) }
      return
    }
    print(TextTable.text([TensorNumbers.header(other != nil)] + TensorNumbers.cells(rows), right: Set(1...10)))
    let count = checkpoint.tensors.reduce(0) { $0 + $1.count }
    let words = other.map { " against step \(Figure.grouped($0.state.step))" } ?? ""
    print("\(which.name) at step \(Figure.grouped(checkpoint.state.step))\(words): \(Figure.grouped(count)) numbers")
  }

  /// - Returns: the exit status; nil if the terminal cannot show a screen.
  private func showScreen() throws -> Int32? {
    // Errors and warnings about the run are printed before the screen is opened.
    guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else { return nil }
    let folder = try RunLookup.folder(which.name, in: shown.place)
    let steps = try StoredRun.checkpointSteps(in: folder)
    // Where there is no checkpoint, run.h5 says why.
    if steps.isEmpty { _ = try RunLookup.archive(which.name, in: shown.place) }
    let (step, against) = (try choice.step?.step(in: folder), try against?.step(in: folder))
    for asked in [step, against].compactMap({ $0 }) where !steps.contains(asked) {
      throw UserError(
        .noInput,
        "run “\(which.name)” has no checkpoint of step \(asked), only of \(steps.map(String.init).joined(separator: ", "))"
      )
    }
    guard !steps.isEmpty else {
      throw UserError(.noInput, "run “\(which.name)” has no checkpoint yet: there are no tensors to show")
    }
    let loop = try BrowserLoop(shown.place, shown.looks, LayoutFiles()) { glyphs in
      var browser = Browser()
      browser.tensors = TensorsScreen(name: which.name, step: step, against: against, glyphs: glyphs)
      return browser
    }
    guard var loop else { return nil }
    return loop.run()
  }

  private func rows(
    _ tensors: [Checkpoint.Tensor], of checkpoint: Checkpoint, against other: Checkpoint?
  ) -> [TensorNumbers] {
    TensorNumbers.all(tensors, checkpoint.weights, against: other.map { ($0.tensors, $0.weights) })
  }

  private func show(_ tensor: Checkpoint.Tensor, of checkpoint: Checkpoint, against other: Checkpoint?) throws {
    let row = rows([tensor], of: checkpoint, against: other)[0]
    let histogram = Histogram(tensor, in: checkpoint.weights, leavesOutliers: !shown.json)
    if shown.json {
      var members = row.members
      members.append(JSON.Member("edges", .array(histogram.edges.map(JSON.double))))
      members.append(JSON.Member("counts", .array(histogram.counts.map(JSON.integer))))
      print(JSON.object(members).line)
      return
    }
    print(TextTable.text([TensorNumbers.header(other != nil)] + TensorNumbers.cells([row]), right: Set(1...10)))
    let most = max(1, histogram.counts.max() ?? 1)
    let bars = histogram.counts.indices.map { part in
      let count = histogram.counts[part]
      // Every count above 0 has a visible bar.
      let length = count == 0 ? 0 : max(1, count * 50 / most)
      return [
        Figure.rate(histogram.edges[part]), Figure.grouped(count), String(repeating: "█", count: length),
      ]
    }
    if !bars.isEmpty { print("\n" + TextTable.text([["FROM", "COUNT", ""]] + bars, right: [0, 1])) }
    if histogram.outside > 0 { print("\(Figure.grouped(histogram.outside)) beyond these") }
  }

  /// - Throws: `UserError` that names the nearest tensor.
  private static func tensor(named word: String, in checkpoint: Checkpoint) throws -> Checkpoint.Tensor {
    let path = word.replacing(".", with: "/")
    if let tensor = checkpoint.tensors.first(where: { $0.path == path || $0.path == path + "/weight" }) {
      return tensor
    }
    let names = checkpoint.tensors.map(\.path)
    let meant =
      names.nearest(to: path).map { "; did you mean \($0)?" } ?? ": without --tensor, all tensors are listed"
    throw UserError(.usage, "--tensor \(word.excerpt): the checkpoint has no such tensor\(meant)")
  }
}

extension TensorNumbers {
  fileprivate static func header(_ hasDifference: Bool) -> [String] {
    ["TENSOR", "SHAPE", "MEAN", "DEVIATION", "SMALLEST", "LARGEST", "NORM", "ZEROS", "NOT FINITE"]
      + (hasDifference ? ["DIFFERENCE", "COSINE"] : [])
  }

  /// The cells of all rows; numbers of a column have one format.
  fileprivate static func cells(_ rows: [TensorNumbers]) -> [[String]] {
    let columns = (0..<5).map { column in Figure.column(rows.map { $0.summary.numbers[column] }) }
    return rows.enumerated().map { index, row in
      let summary = row.summary
      var cells = [summary.path, TextTable.shape(summary.shape)] + columns.map { $0[index] } + summary.shares
      guard let difference = row.difference else { return cells }
      cells.append(difference.relative.map { Figure.fixed($0 * 100, 3) + " %" } ?? "")
      cells.append(difference.cosine.map { Figure.fixed($0, 6) } ?? "")
      return cells
    }
  }

  fileprivate var members: [JSON.Member] {
    var members = summary.members
    if let relative = difference?.relative { members.append(JSON.Member("difference", .double(relative))) }
    if let cosine = difference?.cosine { members.append(JSON.Member("cosine", .double(cosine))) }
    return members
  }
}

extension TensorSummary {
  fileprivate var numbers: [Double] { [mean, deviation, Double(minimum), Double(maximum), norm] }

  fileprivate var shares: [String] {
    [zeros, nonFinite].map { $0 == 0 ? "0" : Figure.fixed(Double($0) / Double(count) * 100, 2) + " %" }
  }

  fileprivate var members: [JSON.Member] {
    [
      JSON.Member("tensor", .text(path)), JSON.Member("shape", .array(shape.map(JSON.integer))),
      JSON.Member("count", .integer(count)), JSON.Member("mean", .double(mean)),
      JSON.Member("deviation", .double(deviation)), JSON.Member("minimum", .float(minimum)),
      JSON.Member("maximum", .float(maximum)), JSON.Member("norm", .double(norm)),
      JSON.Member("zeros", .double(Double(zeros) / Double(count))),
      JSON.Member("nonFinite", .double(Double(nonFinite) / Double(count))),
    ]
  }
}
