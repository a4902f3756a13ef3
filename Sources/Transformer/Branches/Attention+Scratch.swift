// Where attention's workers keep what they work on.
import Kernels

extension Attention {
  /// A worker's own memory.
  struct Scratch {
    let scores: UnsafeMutablePointer<Float>  // [tile, stride]
    let dWeights: UnsafeMutablePointer<Float>  // [tile, stride]
    let weights: UnsafeMutableRawPointer  // E [tile, stride]
    let dScores: UnsafeMutableRawPointer  // E [tile, stride]
    let sums: UnsafeMutablePointer<Float>  // [tile, hs] of O, or of dQ
    let dKeys: UnsafeMutablePointer<Float>  // [T, hs]
    let dValues: UnsafeMutablePointer<Float>  // [T, hs]
    let dots: UnsafeMutablePointer<Float>  // [tile]
    let running: AttentionRows.Running  // [tile] each
    let keysByWidth: UnsafeMutablePointer<UInt32>  // words of K along h [h, widthStride]
    let valuesByWidth: UnsafeMutablePointer<UInt32>  // words of V along h [h, widthStride]
    let keys: UnsafeMutablePointer<UInt32>  // words of K along T [T, hs]
    let values: UnsafeMutablePointer<UInt32>  // words of V along T [T, hs]
    let queries: UnsafeMutablePointer<UInt32>  // words of a tile's Q along its rows [tile, hs]
    let dOutput: UnsafeMutablePointer<UInt32>  // words of a tile's dO along its rows [tile, hs]
    let left: UnsafeMutablePointer<UInt32>  // words of an operand A that has to be a copy [tile, stride or h]
    // Where threads share a group on the way back, of the first one: for all of them.
    let dQueries: UnsafeMutablePointer<Float>  // [T, hs]
    let progress: UnsafeMutableRawPointer  // a TeamProgress, a counter a block
  }

  /// Where a worker's memory has its parts, in bytes from its beginning.
  struct ScratchLayout {
    let scores, dWeights, weights, dScores, sums, dKeys, dValues, dots, running: Int
    let keysByWidth, valuesByWidth, keys, values, queries, dOutput, left, dQueries, progress: Int
    let tile: Int
    /// Row strides: of scores, of words along h, and of what is as wide as a head (hs).
    let stride, widthStride, headStride: Int
    let bytes: Int

    init(_ c: Configuration, precision: Precision, cut: AttentionCut?) {
      var layout = ArenaLayout()
      tile = min(c.context, tileQueries)
      stride = Attention.spread(min(c.context, blockKeys))
      widthStride = Attention.spread(c.context)
      headStride = wholeVectors(c.headWidth)
      scores = layout.place(tile * stride, width: 4)
      dWeights = layout.place(tile * stride, width: 4)
      weights = layout.place(tile * stride, width: precision.bytes)
      dScores = layout.place(tile * stride, width: precision.bytes)
      sums = layout.place(tile * headStride, width: 4)
      dKeys = layout.place(c.context * headStride, width: 4)
      dValues = layout.place(c.context * headStride, width: 4)
      dots = layout.place(tile, width: 4)
      running = layout.place(3 * tile, width: 4)
      keysByWidth = layout.place(PackedOperands.count(c.headWidth, precision) * widthStride, width: 4)
      valuesByWidth = layout.place(PackedOperands.count(c.headWidth, precision) * widthStride, width: 4)
      keys = layout.place(PackedOperands.count(c.context, precision) * headStride, width: 4)
      values = layout.place(PackedOperands.count(c.context, precision) * headStride, width: 4)
      queries = layout.place(PackedOperands.count(tile, precision) * headStride, width: 4)
      dOutput = layout.place(PackedOperands.count(tile, precision) * headStride, width: 4)
      left = layout.place(tile * max(stride, headStride), width: 4)
      dQueries = layout.place(cut == nil ? 0 : c.context * headStride, width: 4)
      progress = layout.place(TeamProgress.bytes(cut?.blocks ?? 0), width: 1)
      bytes = layout.bytes
    }
  }

  func scratch(_ base: UnsafeMutableRawPointer, worker: Int) -> Scratch {
    let layout = scratchLayout
    let base = base + worker * layout.bytes
    func floats(_ offset: Int) -> UnsafeMutablePointer<Float> { (base + offset).assumingMemoryBound(to: Float.self) }
    func words(_ offset: Int) -> UnsafeMutablePointer<UInt32> { (base + offset).assumingMemoryBound(to: UInt32.self) }
    return Scratch(
      scores: floats(layout.scores), dWeights: floats(layout.dWeights), weights: base + layout.weights,
      dScores: base + layout.dScores, sums: floats(layout.sums), dKeys: floats(layout.dKeys),
      dValues: floats(layout.dValues), dots: floats(layout.dots),
      running: AttentionRows.Running(
        maximum: floats(layout.running), sum: floats(layout.running) + layout.tile,
        factor: floats(layout.running) + 2 * layout.tile),
      keysByWidth: words(layout.keysByWidth), valuesByWidth: words(layout.valuesByWidth), keys: words(layout.keys),
      values: words(layout.values), queries: words(layout.queries), dOutput: words(layout.dOutput),
      left: words(layout.left), dQueries: floats(layout.dQueries), progress: base + layout.progress)
  }
}
