// The losses of a parent after the checkpoint of a branch, shown dim behind the branch's own.
import Run
import TerminalUI

/// The losses of a run at the moment when it went back.
struct LeftCurves: Sendable {
  let places: Places
  let tracks: [History.LossTrack]
  /// The entry of the checkpoint, from which on both differ.
  let start: Int

  /// The entries after the checkpoint that fall into each column.
  func ranges(_ axis: Axis, _ x: Scale, _ columns: Int) -> [Range<Int>] {
    places.ranges(axis, x, columns).map { range in
      range.upperBound <= start ? 0..<0 : max(range.lowerBound, start)..<range.upperBound
    }
  }

  /// The losses of a line; nil if the parent did not have it.
  func losses(of track: History.LossTrack) -> SmoothedSeries? {
    tracks.first { $0.head == track.head && $0.quantity == track.quantity }?.losses
  }
}
