// The status bar: the run in one line, or in a few lines on a terminal with room for nothing else.
import Run
import TerminalUI

extension Dashboard {
  /// The run's state in a word, with a sign that is distinct without colour.
  /// - Parameter now: Unix time in seconds.
  func stateSpan(now: Double) -> Span {
    if isEvaluating {
      // The short form has room where `training` stood, so that nothing beside it moves.
      let look = StateWord.look(of: "evaluating")
      return Span("\(look.sign) eval" + evaluationProgress(now), look.style)
    }
    switch phase {
    case .starting where mode == .stored, .training where mode == .stored, .paused where mode == .stored && !isDiverged:
      return StateWord.span(of: "interrupted")
    // Keys that steer have no effect yet.
    case .starting where steers: return StateWord.span(of: "starting")
    case .starting, .training: return StateWord.span(of: "training")
    case .paused where isDiverged: return StateWord.span(of: "diverged")
    case .paused: return StateWord.span(of: "paused")
    case .ended(let reason): return StateWord.span(of: reason.rawValue)
    }
  }

  /// Progress of an evaluation, short: as reported; else in proportion to the last evaluation's time; else the time so far.
  private func evaluationProgress(_ now: Double) -> String {
    if evaluation.isUnderWay { return " " + evaluation.percent }
    guard phase == .training, let last = history.last, now > last.time else { return "" }
    let elapsed = now - last.time
    guard let usual = run.evaluation?.seconds, usual > 0, usual.isFinite, elapsed.isFinite else {
      return elapsed >= 1 ? " " + Figure.age(elapsed) : ""
    }
    return " \(Int(min(elapsed / usual, 0.99) * 100)) %"
  }

  /// A part of the bar in forms of different lengths. Pieces of a higher rank are left out first.
  struct Piece {
    /// The longest first.
    var forms: [[Span]]
    var rank: Int
    /// Pieces with a lower number take longer forms first.
    var growth: Int
    /// The cells that it takes, however long its text is; nil for those of its text.
    var cells: Int?

    /// The form for the least room.
    var short: [Span] { forms.last ?? [] }

    init(_ forms: [[Span]], rank: Int, growth: Int = 2) {
      self.forms = forms
      self.rank = rank
      self.growth = growth
    }

    init(long: [Span], short: [Span], rank: Int) { self.init([long, short], rank: rank) }

    /// A piece whose short form is the same as its long form.
    init(_ text: String, _ style: Style = .plain, rank: Int) {
      self.init([[Span(text, style)]], rank: rank)
    }
  }

  /// The time for which an alert stays in the bar, in seconds.
  private static let alertSeconds = 300.0

  /// The cells of a state, which `training` and most others need with their signs. An evaluation with two digits takes one more
  /// from the gap beside it.
  private static let stateCells = 10

  /// The columns of a name where there is no room for all of it.
  private static let shortName = 24

  func statusPieces(now: Double) -> [Piece] {
    let name = beginning?.name ?? ""
    var pieces: [Piece] = []
    if !name.isEmpty {
      let short = [Span(name.cut(to: Self.shortName), .bold)]
      pieces.append(Piece(long: [Span(name, .bold)], short: short, rank: 4))
    }
    let state = stateSpan(now: now)
    var statePiece = Piece([[state]], rank: 0)
    statePiece.cells = max(state.text.width - (isEvaluating ? 1 : 0), Self.stateCells)
    pieces.append(statePiece)
    let total = beginning?.recipe.steps
    if let last = history.last {
      let step = Figure.grouped(last.step)
      let of = total.map { Figure.grouped($0) }
      pieces.append(
        Piece(
          long: [Span("step "), Span(step, .bold), Span(of.map { " / " + $0 } ?? "")],
          short: [Span(step, .bold), Span(of.map { "/" + $0 } ?? "")], rank: 1))
      if let total, total > 0, !isEnded {
        // The progress bar may be left out, since step and total say the same.
        pieces.append(Piece(progress(last.step, of: total) + [[]], rank: 8, growth: 1))
      }
      pieces.append(
        Piece(
          long: [Span(Figure.short(Double(last.tokens)) + " tokens")],
          short: [Span(Figure.short(Double(last.tokens)) + " tok")],
          rank: 6))
      let speed = Figure.short(history.speed?.tokensPerSecond ?? last.tokensPerSecond) + " tok/s"
      pieces.append(Piece(long: [Span(speed)], short: [Span(speed)], rank: 3))
      if let rate = currentRate {
        pieces.append(
          Piece(long: [Span("rate " + Figure.rate(rate))], short: [Span("rate " + Figure.rate(rate))], rank: 5))
      }
      if phase != .starting || !steers { pieces += timePieces(last, total: total, now: now) }
    }
    if let alert = run.alert, !isEnded, mode != .stored, now - alert.time < Self.alertSeconds {
      // The word is that of the event's key. Where there is no room for both, the step stays.
      let words = ["": "alert", "nonFinite": "not finite", "deadRows": "dead rows"]
      let word = words[alert.key] ?? alert.key
      pieces.append(
        Piece(
          long: [Span("⚑ " + alert.text.cut(to: 40), Style(.bad, .bold))],
          short: [Span("⚑ " + word, Style(.bad, .bold))],
          rank: 2))
    }
    if phase == .starting, let start = settingUpSince, now - start >= 2 {
      // Setting-up may take minutes, so the time shows that work goes on.
      let elapsed = (now - start).rounded(.down)
      let time = elapsed < 60 ? Figure.age(elapsed) : Figure.duration(elapsed)
      pieces.append(Piece(long: [Span(time)], short: [Span(time)], rank: 1))
    }
    return pieces
  }

  /// The remaining time of a run in training, or the time that another run took.
  private func timePieces(_ last: StepReport, total: Int?, now: Double) -> [Piece] {
    // How long a run that has diverged goes on, nobody knows.
    if phase == .training || phase == .paused, mode != .stored, !isDiverged, let total,
      let speed = history.speed, last.step < total
    {
      // Between two reports the remaining time shrinks by at most a step's time; while paused it stays.
      let passed = phase == .training ? min(max(now - last.time, 0), speed.step) : 0
      let left = max(speed.step * Double(total - last.step) - passed, 0)
      // The end's time of day follows, and the range of an uncertain estimate.
      let time = TimeLeft(
        left, range: speed.uncertainty * Double(total - last.step), shownAbove: max(left * 0.1, 1))
      let end =
        phase == .training && left >= 60 && left < 86_400 && !time.isVague
        ? " · " + Figure.clock(now + left, secondsFromGMT: secondsFromGMT).dropLast(3) : ""
      let forms = [" left" + end, " left"].map { [Span(time.time, .bold), Span($0)] }
      // The range takes only room that nothing else wants: it comes and goes while the others stay.
      let range = time.range.isEmpty ? [] : [Piece([[Span(time.range.trimmingSpaces)], []], rank: 9, growth: 3)]
      return [Piece(forms, rank: 2, growth: 0)] + range
    }
    let time = Figure.duration(last.active)
    return [Piece([[Span("trained " + time)], [Span(time)]], rank: 2, growth: 0)]
  }

  /// A bar, and the share of steps taken in percent.
  private func progress(_ step: Int, of total: Int) -> [[Span]] {
    var work = WorkProgress(of: .windows)
    work.take(done: max(step, 0), total: total, now: 0)
    return [16, 8].map { work.bar($0) + [Span(" " + work.percent)] }
  }

  func drawStatus(in rectangle: Rectangle, on canvas: inout Canvas, now: Double) {
    guard rectangle.rows == 1 else { return drawSmall(in: rectangle, on: &canvas, now: now) }
    var pieces = statusPieces(now: now)
    let word = mode == .attached ? "attached" : "foretop"
    let brand = Piece(long: [Span(word, .faint)], short: [Span(word, .faint)], rank: 7)
    pieces.insert(brand, at: 0)
    let inside = rectangle.columns >= 30 ? rectangle.inset(columns: 1) : rectangle
    canvas.write(Self.fitting(pieces, in: inside.columns), line: 0, of: inside)
  }

  /// As many pieces as fit into `columns` cells in their shortest forms, then in longer forms as far as there is room, with gaps of
  /// three spaces if possible. Pieces of the highest rank are dropped first.
  static func fitting(_ pieces: [Piece], in columns: Int) -> [Span] {
    var pieces = pieces
    func shown(_ forms: [Int]) -> [(spans: [Span], cells: Int)] {
      zip(pieces, forms).map { (spans: $0.forms[$1], cells: $0.cells ?? $0.forms[$1].width) }
        .filter { !$0.spans.isEmpty }
    }
    func isFitting(_ forms: [Int], gap: Int = 2) -> Bool {
      let parts = shown(forms)
      return parts.reduce(0) { $0 + $1.cells } + gap * max(parts.count - 1, 0) <= columns
    }
    while true {
      var forms = pieces.map { $0.forms.count - 1 }
      if isFitting(forms) || pieces.count <= 1 {
        let order = pieces.indices.sorted {
          (pieces[$0].growth, pieces[$0].rank) < (pieces[$1].growth, pieces[$1].rank)
        }
        for index in order {
          let longest = (0..<forms[index]).first { form in
            var longer = forms
            longer[index] = form
            return isFitting(longer)
          }
          if let longest { forms[index] = longest }
        }
        let gap = isFitting(forms, gap: 3) ? 3 : 2
        var line: [Span] = []
        for part in shown(forms) {
          line += part.spans
          line.append(Span(String(repeating: " ", count: max(part.cells + gap - part.spans.width, 1))))
        }
        return Array(line.dropLast())
      }
      guard let worst = pieces.indices.max(by: { pieces[$0].rank < pieces[$1].rank }) else { return [] }
      pieces.remove(at: worst)
    }
  }

  /// Draws the status alone in a few short lines.
  private func drawSmall(in rectangle: Rectangle, on canvas: inout Canvas, now: Double) {
    var lines: [[Span]] = []
    let pieces = statusPieces(now: now)
    func piece(_ rank: Int) -> [Span]? { pieces.first { $0.rank == rank }?.short }
    var first = pieces.filter { $0.rank <= 1 }
    if rectangle.columns < 28, let last = history.last {
      // State and step matter more than the total of steps.
      let step = [Span(Figure.grouped(last.step), .bold)]
      first = [first[0], Piece(long: step, short: step, rank: 1)]
    }
    lines.append(Self.fitting(first, in: rectangle.columns))
    if history.count > 0 {
      lines.append(
        Array(
          history.tracks.map { track in
            [Span(track.head.name + " "), Span(Figure.loss(track.smoothed), .bold)]
          }.joined(separator: [Span("  ")])))
      lines.append(Self.fitting(pieces.filter { $0.rank == 2 || $0.rank == 3 }, in: rectangle.columns))
      if let rate = piece(5) { lines.append(rate) }
    } else if let newest = log.last {
      lines.append([Span(newest.text, newest.style)])
    }
    let room = max(rectangle.rows - 1, 1)
    for (index, line) in lines.prefix(room).enumerated() { canvas.write(line, line: index, of: rectangle) }
    guard rectangle.rows >= 2 else { return }
    drawKeys(in: rectangle.splitTop(rectangle.rows - 1).1, on: &canvas)
  }
}
