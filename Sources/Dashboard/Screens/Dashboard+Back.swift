// The dialog that goes back to a checkpoint: arrows choose one, enter branches from it.
import Run
import TerminalUI

/// The state of the dialog.
struct BackPrompt: Sendable, Equatable {
  /// The chosen row; 0 is the newest checkpoint.
  var chosen = 0
}

/// A row of the dialog.
private struct ListedCheckpoint {
  var step: Int
  /// Held-out loss of the first head in nats; nil if the step has no evaluation.
  var heldOut: Double?
  /// Training loss of the first head in nats, smoothed as the chart's line is.
  var smooth: Double?
  var isBest = false
}

extension Dashboard {
  /// Sets the steps of the run's checkpoints, oldest first.
  package mutating func know(checkpoints: [Int]) {
    self.checkpoints = checkpoints
    needsDrawing = needsDrawing || overlay.isBack
  }

  /// The row of the newest checkpoint whose weights are not spoilt; the newest one if all are.
  var newestSound: Int { checkpoints.reversed().enumerated().first { !spoiltSteps.contains($1) }?.offset ?? 0 }

  /// The checkpoints with their losses, the newest first.
  private var listed: [ListedCheckpoint] {
    let best = bestCheckpoint
    let head = history.tracks.first?.head
    return checkpoints.reversed().map { step in
      var row = ListedCheckpoint(step: step, isBest: step == best)
      if let head, let losses = history.evaluations[.loss(head)] {
        let places = history.evaluations.places[.step]
        let place = places.lowerBound(of: Double(step))
        if place < losses.count, places[place] == Double(step) { row.heldOut = Double(losses.values[place]) }
      }
      let place = history.places[.step].lowerBound(of: Double(step))
      if place < history.count, let track = history.tracks.first {
        row.smooth = track.losses.smooth.summary(of: place..<place + 1).mean
      }
      return row
    }
  }

  /// What `back best` means: the newest checkpoint with sound weights whose held-out loss was the lowest so far.
  private var bestCheckpoint: Int? {
    guard let head = history.tracks.first?.head, let losses = history.evaluations[.loss(head)] else { return nil }
    let stored = Set(checkpoints)
    var (lowest, best) = (Float.infinity, Int?.none)
    for (step, loss) in zip(history.evaluations.places[.step].map(Int.init), losses.values)
    where loss < lowest && !spoiltSteps.contains(step) {
      lowest = loss
      if stored.contains(step) { best = step }
    }
    return best
  }

  mutating func press(_ key: Key, in prompt: BackPrompt) -> Command? {
    var prompt = prompt
    let last = max(checkpoints.count - 1, 0)
    switch key {
    case .escape, .character("q"), .character("r"):
      overlay = nil
      return nil
    case .up, .character("k"): prompt.chosen = max(prompt.chosen - 1, 0)
    case .down, .character("j"): prompt.chosen = min(prompt.chosen + 1, last)
    case .home: prompt.chosen = 0
    case .end: prompt.chosen = last
    case .enter:
      overlay = nil
      let rows = listed
      guard rows.indices.contains(prompt.chosen) else { return nil }
      return ask(.back(.step(rows[prompt.chosen].step)))
    default: break
    }
    overlay = .back(prompt)
    return nil
  }

  func draw(_ prompt: BackPrompt, on canvas: inout Canvas) {
    let rows = listed
    let head = history.tracks.first?.head.name ?? ""
    let most = max(min(rows.count, canvas.rows - 7), 1)
    let chosen = min(prompt.chosen, max(rows.count - 1, 0))
    let first = min(max(chosen - most / 2, 0), max(rows.count - most, 0))
    let inside = canvas.dialog("go back to", columns: min(48, max(canvas.columns - 6, 16)), rows: most + 3)
    canvas.write(
      [
        Span("    step".padded(to: 14), .faint), Span("held-out \(head)".padded(to: 15), .faint),
        Span("smooth", .faint),
      ],
      line: 0, of: inside)
    for (index, row) in rows[first..<min(first + most, rows.count)].enumerated() {
      let isChosen = first + index == chosen
      let heldOut = row.heldOut.map { Figure.loss($0) + (row.isBest ? " ★" : "") } ?? "–"
      let style: Style = isChosen ? .bold : .plain
      canvas.write(
        [
          Span(isChosen ? "▸ " : "  ", .accent), Span("  " + Figure.grouped(row.step).padded(to: 10), style),
          Span(heldOut.padded(to: 15), Style(.third)), Span((row.smooth.map(Figure.loss) ?? "–").padded(to: 9), style),
          Span(spoiltSteps.contains(row.step) ? "spoilt" : "", Style(.warning)),
        ], line: 1 + index, of: inside)
    }
    canvas.write(
      [Span("enter", .accent), Span(" goes on from there as a branch   "), Span("esc", .accent), Span(" stays")],
      line: inside.rows - 1, of: inside)
  }
}

extension Dashboard.Overlay? {
  fileprivate var isBack: Bool { if case .back = self { true } else { false } }
}
