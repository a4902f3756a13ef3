// The train layout in code, used if `layouts/train.yaml` is missing or faulty. It is the same as that file (tested).
import TerminalUI

extension Layout {
  /// The train layout, with a variant for every size.
  package static let train: Layout = {
    func variant(_ columns: Int, _ rows: Int, _ across: [Track], _ down: [Track], _ areas: [[Panel?]]) -> Variant {
      Variant(columns: columns, rows: rows, columnTracks: across, rowTracks: down, areas: areas)
    }
    var settings = Settings()
    settings.x = .step
    settings.isLogarithmic = false
    settings.smoothing = 0.9
    settings.series = ["loss/*", "trained/*", "held-out/ntp"]
    return Layout(
      name: "train", key: 1,
      variants: [
        variant(
          300, 80, [.share(1), .share(1), .share(1), .share(1)],
          [.cells(1), .share(3), .share(2), .cells(14), .cells(14), .cells(10), .cells(1)],
          [
            [.status, .status, .status, .status], [.losses, .losses, .losses, .order],
            [.losses, .losses, .losses, .text], [.heads, .throughput, .quality, .gradients],
            [.rate, .rate, .machine, .recipe], [.events, .events, .events, .recipe],
            [.keys, .keys, .keys, .keys],
          ]),
        variant(
          170, 56, [.share(5), .share(4), .share(5)],
          [.cells(1), .cells(18), .share(1), .cells(9), .cells(12), .cells(8), .cells(1)],
          [
            [.status, .status, .status], [.losses, .losses, .order], [.losses, .losses, .quality],
            [.losses, .losses, .text], [.rate, .throughput, .heads], [.events, .events, .recipe],
            [.keys, .keys, .keys],
          ]),
        variant(
          170, 48, [.share(5), .share(4), .share(5)],
          [.cells(1), .share(3), .share(2), .cells(12), .cells(8), .cells(1)],
          [
            [.status, .status, .status], [.losses, .losses, .order], [.losses, .losses, .text],
            [.rate, .throughput, .heads], [.events, .events, .recipe], [.keys, .keys, .keys],
          ]),
        variant(
          200, 30, [.share(5), .share(3), .share(3)], [.cells(1), .share(1), .cells(10), .cells(6), .cells(1)],
          [
            [.status, .status, .status], [.losses, .order, .heads], [.losses, .rate, .throughput],
            [.events, .events, .text], [.keys, .keys, .keys],
          ]),
        variant(
          120, 36, [.share(38), .share(36), .share(46)],
          [.cells(1), .share(1), .cells(6), .cells(10), .cells(6), .cells(1)],
          [
            [.status, .status, .status], [.losses, .losses, .order], [.losses, .losses, .heads],
            [.rate, .throughput, .text], [.events, .events, .events], [.keys, .keys, .keys],
          ]),
        variant(
          120, 30, [.share(38), .share(36), .share(46)],
          [.cells(1), .share(1), .cells(6), .cells(8), .cells(4), .cells(1)],
          [
            [.status, .status, .status], [.losses, .losses, .order], [.losses, .losses, .heads],
            [.rate, .throughput, .text], [.events, .events, .events], [.keys, .keys, .keys],
          ]),
        variant(
          80, 36, [.share(46), .share(34)],
          [.cells(1), .share(1), .cells(7), .cells(10), .cells(4), .cells(1)],
          [
            [.status, .status], [.losses, .losses], [.order, .rate], [.text, .throughput], [.events, .events],
            [.keys, .keys],
          ]),
        variant(
          80, 24, [.share(46), .share(34)], [.cells(1), .share(1), .cells(7), .cells(3), .cells(1)],
          [[.status, .status], [.losses, .losses], [.order, .rate], [.events, .events], [.keys, .keys]]),
        variant(
          60, 16, [.cells(28), .share(1)], [.cells(1), .share(1), .cells(4), .cells(1)],
          [[.status, .status], [.losses, .losses], [.rate, .events], [.keys, .keys]]),
        variant(
          40, 12, [.share(1)], [.cells(1), .share(1), .cells(1), .cells(1)], [[.status], [.losses], [.events], [.keys]]),
      ], settings: settings)
  }()
}
