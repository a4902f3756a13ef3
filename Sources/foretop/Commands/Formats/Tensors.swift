// foretop tensors: the weights of a checkpoint in numbers.
import ArgumentParser
import Foundation
import Run
import RunFile
import TerminalUI

struct Tensors: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the tensors of a run's checkpoint with statistics.",
    discussion: """
      Mean, standard deviation, smallest and largest are those of the finite numbers. With --tensor, only that \
      tensor is listed, with a histogram of its numbers. A name may be written with “/” or “.”.
      """)

  @Argument(help: ArgumentHelp("The run's name.", valueName: "name"))
  var name: String

  @Option(help: ArgumentHelp("The checkpoint's step or name; without it, the last one.", valueName: "step"))
  var step: CheckpointChoice?

  @Option(help: ArgumentHelp("One tensor, such as model/layers/0/mlp/up_proj/weight.", valueName: "path"))
  var tensor: String?

  @Flag(help: "Prints one JSON object per tensor, one a line.")
  var json = false

  @OptionGroup var place: FolderOptions

  func run() throws {
    let checkpoint = try RunLookup.checkpoint(name, in: place, step: step)
    if let tensor {
      try show(Self.tensor(named: tensor, in: checkpoint), of: checkpoint)
      return
    }
    let summaries = checkpoint.tensors.map { TensorSummary($0, in: checkpoint.weights) }
    if json {
      for summary in summaries { print(summary.json.line) }
      return
    }
    print(TextTable.text([TensorSummary.header] + summaries.map(\.cells), right: Set(1...8)))
    let count = checkpoint.tensors.reduce(0) { $0 + $1.count }
    print("\(name) at step \(Figure.grouped(checkpoint.state.step)): \(Figure.grouped(count)) numbers")
  }

  private func show(_ tensor: Checkpoint.Tensor, of checkpoint: Checkpoint) throws {
    let summary = TensorSummary(tensor, in: checkpoint.weights)
    let histogram = Histogram(tensor, in: checkpoint.weights)
    if json {
      var members = summary.members
      members.append(JSON.Member("edges", .array(histogram.edges.map(JSON.double))))
      members.append(JSON.Member("counts", .array(histogram.counts.map(JSON.integer))))
      print(JSON.object(members).line)
      return
    }
    print(TextTable.text([TensorSummary.header, summary.cells], right: Set(1...8)))
    let most = max(1, histogram.counts.max() ?? 1)
    let bars = histogram.counts.indices.map { part in
      let count = histogram.counts[part]
      // What is there at all shows.
      let length = count == 0 ? 0 : max(1, count * 50 / most)
      return [
        Figure.rate(histogram.edges[part]), Figure.grouped(count), String(repeating: "█", count: length),
      ]
    }
    if !bars.isEmpty { print("\n" + TextTable.text([["FROM", "COUNT", ""]] + bars, right: [0, 1])) }
  }

  /// - Throws: `UserError` that names the nearest one.
  private static func tensor(named word: String, in checkpoint: Checkpoint) throws -> Checkpoint.Tensor {
    let path = word.replacing(".", with: "/")
    if let tensor = checkpoint.tensors.first(where: { $0.path == path || $0.path == path + "/weight" }) {
      return tensor
    }
    let names = checkpoint.tensors.map(\.path)
    let meant =
      names.nearest(to: path).map { "; did you mean \($0)?" } ?? ": “foretop tensors NAME” lists what there is"
    throw UserError(.usage, "--tensor \(word.excerpt): the checkpoint has no such tensor\(meant)")
  }
}

extension TensorSummary {
  fileprivate static let header = [
    "TENSOR", "SHAPE", "MEAN", "DEVIATION", "SMALLEST", "LARGEST", "NORM", "ZEROS", "NOT FINITE",
  ]

  fileprivate var cells: [String] {
    [path, TextTable.shape(shape)]
      + [mean, deviation, Double(minimum), Double(maximum), norm].map(Figure.rate)
      + [zeros, nonFinite].map { $0 == 0 ? "0" : Figure.fixed(Double($0) / Double(count) * 100, 2) + " %" }
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

  fileprivate var json: JSON { .object(members) }
}
