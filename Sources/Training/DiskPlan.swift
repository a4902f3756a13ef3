// The room that a run's files take on the disk when they take the most, and whether the disk has so much.
import Run
import Transformer

/// A run's files while its last checkpoint is written: no earlier moment has more of them. Checkpoints that somebody saves by hand come
/// on top.
package struct DiskPlan: Sendable, Equatable {
  /// Bytes of a checkpoint's file, about.
  package let checkpoint: Int
  /// The same at most, as its writer reserves it.
  package let most: Int
  /// Checkpoints beside the one that is written: the newest, those that `save.keepEvery` keeps among the older ones, and the best, where
  /// it can be one of the others.
  package let newest: Int
  package let kept: Int
  package let best: Int
  /// Bytes of metrics, events and samples, about: of run.h5, its copy and the journal.
  package let metrics: Int
  /// True where every checkpoint is kept (`save.keep: 0`).
  package let isKeepingAll: Bool

  /// Checkpoints that are there at once: a new one is written before an old one goes.
  package var checkpoints: Int { newest + kept + best + 1 }

  package var bytes: Int { Self.whole(checkpointBytes + Double(metrics)) }

  private var checkpointBytes: Double { Double(checkpoints - 1) * Double(checkpoint) + Double(most) }

  /// Bytes that must be free before the first step: room for the checkpoints that are there at once however many steps there are, and
  /// for the metrics of the beginning. What grows with every step is not demanded (metrics, and checkpoints that are kept for ever):
  /// many a run is begun with more steps than it will take.
  package var demanded: Int { lasting.bytes }

  /// The plan without what grows with every step.
  private var lasting: DiskPlan {
    DiskPlan(
      checkpoint: checkpoint, most: most, newest: isKeepingAll ? 0 : newest, kept: 0, best: best, metrics: firstMetrics,
      isKeepingAll: isKeepingAll)
  }

  /// What must fit before the first step, in words.
  fileprivate var demandedWords: String { lasting.words }

  private var firstMetrics: Int { min(metrics, Self.emptyMetrics) }

  /// Bytes of metrics before the first step, about: of run.h5, its copy and the journal.
  fileprivate static let emptyMetrics = 7_500_000

  /// Bytes that must be free.
  /// - Parameter existing: bytes of the run's files that are there already. However many they are, one more checkpoint is written.
  package func needed(beside existing: Int) -> Int { max(most, demanded - existing) }

  /// What is there at once when the run ends, in words.
  package var words: String {
    let size = Figure.bytes(checkpoint)
    guard checkpoints > 1 else { return "a checkpoint of \(size) and \(Figure.bytes(metrics)) of metrics" }
    var parts = [newest == 1 ? "the newest" : "the newest \(Figure.grouped(newest))"]
    if best > 0 { parts.append("the best") }
    if kept > 0 { parts.append("\(Figure.grouped(kept)) that save.keepEvery keeps") }
    let there = parts.joined(separator: ", ") + ", and one that is being written"
    return "\(Figure.grouped(checkpoints)) checkpoints of \(size) (\(there)) and \(Figure.bytes(metrics)) of metrics"
  }

  /// A number of bytes, whatever a recipe with a billion steps makes of it.
  fileprivate static func whole(_ bytes: Double) -> Int { Int(min(bytes, 1e18)) }
}

extension RunPlan {
  /// The room that the run's files take on the disk.
  package var disk: DiskPlan { disk(isResumed: false) }

  /// - Parameter isResumed: whether an earlier session evaluated the run, and one of its checkpoints may be the best.
  private func disk(isResumed: Bool) -> DiskPlan {
    let datasets = network.parameters.tensors.count * (recipe.data.drawn.isOn ? 4 : 3)
    let (newest, kept, best) = recipe.retained(isResumed: isResumed)
    return DiskPlan(
      checkpoint: checkpointBytes + Checkpoint.usualOverhead(datasets: datasets),
      most: checkpointBytes + Checkpoint.mostOverhead(datasets: datasets), newest: newest, kept: kept, best: best,
      metrics: recipe.metricsBytes,
      isKeepingAll: recipe.save.keep == 0)
  }

  /// Checks that the run's files fit on the disk, however many checkpoints the recipe keeps.
  /// - Parameters:
  ///   - free: bytes that are free; nil where that is not known.
  ///   - existing: bytes of the run's files that are there already and that the run replaces or goes on with.
  ///   - folder: of the run.
  package func check(freeDisk free: Int?, beside existing: Int = 0, of folder: String) throws(UserError) {
    let disk = disk(isResumed: existing > 0)
    guard let free, disk.needed(beside: existing) > free else { return }
    let more = existing > 0 ? " more than the \(Figure.bytes(existing)) that it has" : ""
    throw UserError(
      .unavailable,
      "this run needs \(Figure.bytes(disk.needed(beside: existing)))\(more) on the disk, for \(disk.demandedWords), but "
        + "\(Figure.bytes(free)) are free on the disk of \(folder): make room there, or choose another disk with --runs"
        + diskAdvice(free: free, beside: existing))
  }

  /// The first change of the recipe with which its files would fit, in words; empty where none is known.
  private func diskAdvice(free: Int, beside existing: Int) -> String {
    func keepOne(_ recipe: inout Recipe) { recipe.save.keep = 1 }
    func leaveOut(_ recipe: inout Recipe) { recipe.save.weightsOnly = true }
    let moments = "save.weightsOnly: true, which leaves out the moments of tables"
    let changes: [(words: String, change: (inout Recipe) -> Void)] = [
      ("save.keep: 1", keepOne), (moments, leaveOut),
      (
        "save.keep: 1 and \(moments)",
        {
          keepOne(&$0)
          leaveOut(&$0)
        }
      ),
    ]
    for (words, change) in changes {
      var changed = recipe
      change(&changed)
      guard changed != recipe, let disk = replanned(changed)?.disk(isResumed: existing > 0) else { continue }
      let needed = disk.needed(beside: existing)
      if needed <= free { return ", or set \(words): then it needs \(Figure.bytes(needed))" }
    }
    return ""
  }
}

extension Recipe {
  /// The checkpoints that are there when the last one is written: so many of the newest, of those that are always kept, and of the best.
  fileprivate func retained(isResumed: Bool) -> (newest: Int, kept: Int, best: Int) {
    let saved = save.every > 0 ? max(0, steps - 1) / save.every : 0
    guard save.keep > 0 else { return (saved, 0, 0) }
    let older = max(0, saved - save.keep)
    var kept = 0
    if save.keepEvery > 0, older > 0 {
      kept = older * save.every / (save.every / Self.commonDivisor(save.every, save.keepEvery) * save.keepEvery)
    }
    let hasBest = isResumed ? saved >= save.keep : evaluate.every > 0 && older > kept
    return (min(saved, save.keep), kept, hasBest ? 1 : 0)
  }

  /// Euclid's algorithm.
  private static func commonDivisor(_ a: Int, _ b: Int) -> Int { b == 0 ? a : commonDivisor(b, a % b) }

  /// Bytes of metrics, events and samples, about: three times those of run.h5, since a copy of it and the journal are there too.
  fileprivate var metricsBytes: Int {
    func times(_ every: Int) -> Double { every > 0 ? Double(steps / every + 1) : 1 }
    let columns = Metric.ofSteps(heads: heads, isShaped: shapesNextToken)
    let row = columns.reduce(0) { $0 + ($1.storage == .float32 ? 4 : 8) } + 4
    // A row of an evaluation, and the maps of memory layers; a text, and the order that TOP's head sees.
    let (evaluationBytes, sampleBytes) = (model.memory.keys > 0 ? 24_600.0 : 600.0, 2000.0)
    let rows =
      Double(row) * 1.1 * Double(steps) + evaluationBytes * times(evaluate.every) + sampleBytes * times(sample.every)
    return DiskPlan.whole(Double(DiskPlan.emptyMetrics) + 3 * rows)
  }
}
