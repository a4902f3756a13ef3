// A run's numbers as lines of text: comma-separated values for spreadsheets and data frames, and JSON.
import Run

package enum MetricLines {
  /// A table with one line per step: the columns of /metrics, then those of /heldout with the prefix `heldout/`, which have values
  /// at steps with an evaluation. Missing values are empty; not-a-number and infinities are `nan` and `inf`.
  /// - Parameters:
  ///   - content: what the evaluations of the run have.
  ///   - events: passes the events one by one, in order.
  ///   - take: receives one line at a time, with its line end.
  package static func csv(
    _ content: EvaluationContent, of events: @escaping ((Event) throws -> Void) throws -> Void,
    _ take: (String) throws -> Void
  ) throws {
    let stepMetrics = Metric.ofSteps(heads: content.heads, isShaped: content.isShaped)
    let evaluationMetrics = Metric.ofEvaluations(content).filter {
      $0.path != "step" && $0.path != "tokens"
    }
    try take((stepMetrics.map(\.path) + evaluationMetrics.map { "heldout/" + $0.path }).joined(separator: ",") + "\n")
    let nothing = Array(repeating: "", count: evaluationMetrics.count)
    func words(_ evaluation: Evaluation) -> [String] { evaluationMetrics.map { $0.word(of: evaluation) } }

    var waiting: (step: Int, cells: [String])?
    func line(_ cells: [String], _ heldOut: [String]) -> String { (cells + heldOut).joined(separator: ",") + "\n" }
    try events { event in
      switch event {
      case .stepped(let report):
        if let row = waiting { try take(line(row.cells, nothing)) }
        waiting = (report.step, stepMetrics.map { $0.word(of: report) })
      case .evaluated(let evaluation):
        var cells = Array(repeating: "", count: stepMetrics.count)
        if let row = waiting, row.step == evaluation.step {
          cells = row.cells
        } else {
          // A repeated evaluation, or one before the first step, has a line of its own.
          if let row = waiting { try take(line(row.cells, nothing)) }
          cells[0] = String(evaluation.step)
          cells[1] = String(evaluation.tokens)
        }
        try take(line(cells, words(evaluation)))
        waiting = nil
      case .began, .summedUp, .ordered, .mapped, .wrote, .occurred, .confirmed, .gap, .ended: break
      }
    }
    if let row = waiting { try take(line(row.cells, nothing)) }
  }

  /// One JSON object per step or evaluation, as `--json` prints them.
  package static func json(
    of events: @escaping ((Event) throws -> Void) throws -> Void, _ take: (String) throws -> Void
  ) throws {
    try events { event in
      switch event {
      case .stepped, .evaluated: try take(event.json + "\n")
      case .began, .summedUp, .ordered, .mapped, .wrote, .occurred, .confirmed, .gap, .ended: break
      }
    }
  }
}

extension Metric {
  /// The number with enough digits to be read back exactly; empty if the report does not have it.
  fileprivate func word(of report: Report) -> String {
    guard let number = value(report) else { return "" }
    switch storage {
    case .unsigned64: return String(Int(number))
    case .float32: return "\(Float(number))"
    case .float64: return "\(number)"
    }
  }
}
