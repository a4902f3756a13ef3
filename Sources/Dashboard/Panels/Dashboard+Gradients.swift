// The gradients panel: the gradient's norm before clipping over the run, and the clipping norm.
import Run
import TerminalUI

extension Dashboard {
  func drawGradients(in rectangle: Rectangle, on canvas: inout Canvas) {
    let inside = frame(
      .gradients, notes: ["norm before clipping · x \(axis.label)", "x \(axis.label)"], in: rectangle, on: &canvas)
    let norms = history.gradientNorm
    guard norms.count > 0 else { return drawNothing("norms come with the first step", in: inside, on: &canvas) }
    let (left, table) = splitGradients(inside)
    if let table { drawGroups(in: table, on: &canvas) }
    drawNorms(norms, in: left, on: &canvas)
  }

  private func drawNorms(_ norms: Series, in inside: Rectangle, on canvas: inout Canvas) {
    let (chart, below) = inside.splitTop(inside.rows - (inside.rows >= 4 ? 1 : 0))
    canvas.write(gradientLine(columns: below.columns), line: 0, of: below)
    guard norms.summary.count > 0 else { return drawNothing("no finite norm yet", in: chart, on: &canvas) }
    let pen = Pen(style: Style(.fourth), symbol: "*")
    drawSteps(norms, gradientScale(norms), pen, level: clip, figure: Figure.norm, in: chart, on: &canvas)
  }

  /// The clipping norm; nil without clipping.
  private var clip: Double? {
    guard let clip = beginning?.recipe.optimizer.clip, clip > 0 else { return nil }
    return clip
  }

  /// From the smallest norm to a few times the usual one. A spike of the first steps is cut off at the upper edge.
  private func gradientScale(_ norms: Series) -> Scale {
    let summary = norms.summary
    let usual = max((summary.mean ?? 1) * 4, (clip ?? 0) * 1.25)
    return Scale(
      from: isLogarithmic ? Double(summary.minimum) : 0, to: min(Double(summary.maximum), usual),
      isLogarithmic: isLogarithmic)
  }

  /// The newest norm, the share of the last steps that were clipped, and the mean if there is room.
  private func gradientLine(columns: Int) -> [Span] {
    guard let last = history.last else { return [] }
    let recent = history.recent(256)
    let norm = [Span("norm "), Span(Figure.norm(Double(last.gradientNorm)), Style(.fourth, .bold))]
    let mean = history.gradientNorm.summary(of: recent).mean.map {
      [Span("   mean ", .faint), Span(Figure.norm($0))]
    }
    var clipping = [Span("   not clipped", .faint)]
    if let clip {
      let single = max(recent.lowerBound, history.gradientNorm.summedUp)..<recent.upperBound
      let clipped = single.count { Double(history.gradientNorm.values[$0]) > clip }
      clipping = [Span("   clip ", .faint), Span(Figure.factor(clip), Style(.warning))]
      if !single.isEmpty {
        let share = 100 * Double(clipped) / Double(single.count)
        clipping.append(Span("   \(Figure.fixed(share, 0)) % clipped", .faint))
      }
    }
    let all = norm + (mean ?? []) + clipping
    return all.width <= columns ? all : norm + clipping
  }
}
