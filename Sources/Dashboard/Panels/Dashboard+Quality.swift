// The quality panel, one point per evaluation on the held-out part: each head's accuracy (the share of positions at which its
// first choice is right), and the quality of TOP's rankings.
import Run
import TerminalUI

extension Dashboard {
  private var qualityLines: [EvaluationLine] {
    func order(_ name: String, _ role: Role, _ dash: Pen.Dash?, _ symbol: Character, _ part: Int) -> EvaluationLine? {
      evaluationLine(name, String(symbol), Pen(style: Style(role), dash: dash, symbol: symbol), .order(part))
    }
    let accuracies = history.evaluations.heads.map { head in
      evaluationLine(
        "acc \(head.name)", head.look.sign, pen(head), .accuracy(head))
    }
    let orders = [
      order("ndcg@8", .second, nil, "+", 0), order("τ", .fourth, Pen.Dash(on: 2, off: 1), "%", 1),
      order("recall@8", .second, Pen.Dash(on: 4, off: 2), "o", 2), order("mrr", .fourth, nil, "#", 3),
    ]
    let paths = [evaluationLine("whole paths", "*", Pen(style: Style(.good), dash: nil, symbol: "*"), .path)]
    return (paths + accuracies + orders).compactMap { $0 }
  }

  /// Why there is no line.
  private var noQuality: String {
    guard history.evaluations.isEmpty else { return "this run was evaluated without accuracies" }
    if isOver { return "this run has no evaluation" }
    if steers, phase != .starting, let reason = refusal(of: .evaluate) { return reason }
    let every = beginning?.recipe.evaluate.every ?? 0
    return every > 0
      ? "accuracies and rank quality come every \(Figure.grouped(every)) steps" : "no evaluation yet: e makes one"
  }

  func drawQuality(in rectangle: Rectangle, on canvas: inout Canvas) {
    let inside = frame(.quality, notes: ["held-out · x \(axis.label)", "x \(axis.label)"], in: rectangle, on: &canvas)
    let lines = qualityLines
    guard !lines.isEmpty else { return drawNothing(noQuality, in: inside, on: &canvas) }
    drawEvaluations(lines, beginsAtZero: true, figure: Figure.quality, in: inside, on: &canvas)
  }
}
