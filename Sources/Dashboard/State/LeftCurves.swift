// The part of a parent's losses that a branch went away from: shown, dim, behind the branch's own.
import Run
import TerminalUI

/// Losses as they were when the run went back.
struct LeftCurves: Sendable {
  let places: Places
  let tracks: [History.LossTrack]
  /// The entry of the checkpoint, where both part.
  let start: Int

  /// The entries after the checkpoint that fall into each column.
  func ranges(_ axis: Axis, _ x: Scale, _ columns: Int) -> [Range<Int>] {
    places.ranges(axis, x, columns).map { range in
      range.upperBound <= start ? 0..<0 : max(range.lowerBound, start)..<range.upperBound
    }
  }

  /// The losses of a head; nil where the parent did not have it.
  func losses(of head: Head) -> SmoothedSeries? { tracks.first { $0.head == head }?.losses }
}
