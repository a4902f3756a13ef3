// The heads on the final hidden states: unembedding and loss fused, so that logits exist only for a chunk of positions.
//   z = h · Uᵀ  →  losses, dz  →  dh = dz · U,  dU += dzᵀ · h
// All heads share h, so that their unembeddings are one matrix U = [U_1; U_2; …] and each product is one product.
// Letters: h [M, d], z [chunk, heads · V].
import Kernels

/// What a head lost on some positions, as sums: divide by `positions` for means.
package struct LossSum: Sendable, Equatable {
  /// Σ loss, nats.
  package var loss = 0.0
  /// Σ entropy of the targets, nats.
  package var entropy = 0.0
  /// Σ of the loss that is trained and of the entropy of the predictions, nats; nil where `loss` is trained.
  package var trained: Double?
  package var spread: Double?
  /// Positions that count.
  package var positions = 0
  /// Of these, how many have their (nearest) target as the likeliest token; counted where nothing is learned.
  package var hits = 0
  /// Of the positions asked for, how good the ranking is; only for objectives that rank.
  package var ranks = RankSum()

  package init() {}

  package mutating func add(_ other: LossSum) {
    loss += other.loss
    entropy += other.entropy
    if let more = other.trained { trained = (trained ?? 0) + more }
    if let more = other.spread { spread = (spread ?? 0) + more }
    positions += other.positions
    hits += other.hits
    ranks.add(other.ranks)
  }
}

/// What the gradient of each head's loss is multiplied with.
struct LossFactors {
  /// λ, one a head.
  let weights: [Float]
  /// Positions that count in the whole step, one a head.
  let denominators: [Int]

  /// λ over the number of positions; 0 where none counts.
  subscript(head: Int) -> Float { denominators[head] > 0 ? weights[head] / Float(denominators[head]) : 0 }
}

struct PredictionHeads {
  private let configuration: Configuration
  private let precision: Precision
  private let threads: Int
  /// Positions of a shard.
  private let positions: Int
  private let chunks: Chunks
  private let whole: Linear
  /// For the last chunk, where it is shorter.
  private let rest: Linear?
  /// Elements of the parameters before the first unembedding.
  private let offset: Int
  /// Of all objectives.
  private let forms: [LossForm]

  /// How positions go through in chunks.
  struct Chunks {
    /// Positions of a chunk.
    let rows: Int
    /// Where logits lie, in floats from row to row.
    let stride: Int
    /// Where their gradients lie, in elements from row to row, and in bytes from the first logit: they take the place of
    /// logits that have their size, and else follow behind.
    let gradient: (stride: Int, offset: Int)
    /// Bytes of a chunk's logits and gradients.
    let bytes: Int

    /// Logits of a chunk: few enough for a last-level cache, enough to feed the products.
    private static let fittingBytes = 24_000_000
    /// Where that would be only few rows: every chunk reads the whole unembedding and adds to its whole gradient, and for
    /// less than some hundreds of rows that takes longer than the arithmetic.
    private static let worthwhile = (rows: 512, bytes: 256_000_000)

    /// - Parameters:
    ///   - chunk: positions of a chunk; nil chooses.
    ///   - heads: how many unembeddings make one row of logits.
    ///   - sharers: how many have chunks at the same time.
    init(
      of positions: Int, chunk: Int?, heads: Int, vocabulary: Int, precision: Precision, sharers: Int, isTrained: Bool
    ) {
      let columns = wholeVectors(heads * vocabulary)
      // Rows a power of two apart share cache sets: the product that reads dz by columns takes a tenth longer for it in
      // bf16. In fp32 it takes oneDNN's other way then, which is as fast and has twice the memory of its own.
      let isInPlace = precision == .fp32
      let spread = isInPlace ? columns : columns + 64 / precision.bytes
      let gradientBytes = isTrained && !isInPlace ? spread * precision.bytes : 0
      stride = columns
      let fitting = Self.fittingBytes / (stride * 4) / sharers
      // A thread alone takes longer for the arithmetic too: half as many rows are worthwhile, however many threads.
      let worthwhile = min(
        Self.worthwhile.rows / min(sharers, 2), Self.worthwhile.bytes / (stride * 4) / sharers)
      rows = min(positions, chunk ?? max(16, max(fitting, worthwhile) / 64 * 64))
      gradient = (spread, isInPlace ? 0 : (rows * stride * 4 + 63) / 64 * 64)
      bytes = (rows * stride * 4 + 63) / 64 * 64 + rows * gradientBytes
    }
  }

  /// - Parameters:
  ///   - heads: how many unembeddings stand one below the other at `offset`.
  ///   - sharers: how many such heads run at the same time.
  init(
    _ configuration: Configuration, heads: Int, offset: Int, positions: Int, chunk: Int? = nil, precision: Precision,
    sharers: Int, isTrained: Bool, products: Products
  ) throws(ProductError) {
    self.configuration = configuration
    self.precision = precision
    self.positions = positions
    self.offset = offset
    forms = configuration.objectives.map { $0.loss(vocabulary: configuration.vocabulary) }
    threads = products.threads
    let out = heads * configuration.vocabulary
    let chunks = Chunks(
      of: positions, chunk: chunk, heads: heads, vocabulary: configuration.vocabulary, precision: precision,
      sharers: sharers, isTrained: isTrained)
    self.chunks = chunks
    func linear(_ rows: Int) throws(ProductError) -> Linear {
      try Linear(
        at: Affine(weight: offset), rows: rows, out: out, in: configuration.width, precision: precision,
        y: ProductShape.Operand(stride: chunks.stride, precision: .fp32),
        dy: ProductShape.Operand(stride: chunks.gradient.stride, precision: precision), isTrained: isTrained,
        products: products)
    }
    whole = try linear(chunks.rows)
    rest = positions % chunks.rows == 0 ? nil : try linear(positions % chunks.rows)
  }

  /// The losses of these heads; with `factors`, the gradients too. Allocates nothing where something is learned.
  /// - Parameters:
  ///   - objectives: of the heads, in the order of their unembeddings: where each has its place in the lists below.
  ///   - hidden: E [M, d].
  ///   - targets: of all M positions, one an objective.
  ///   - entropy: [M] an objective.
  ///   - losses: room for [M] floats an objective, written.
  ///   - shaped: of the objectives whose trained loss can differ, room for what comes of it.
  ///   - stage: of training; nil where losses are only measured.
  ///   - factors: nil computes no gradient.
  ///   - hits: room for [M] bytes.
  ///   - firstHits: [M], written where nothing is learned: 1 where the likeliest token of the first objective is its target.
  ///   - ranking: the objective whose rankings are looked at, and at which of the M positions, where nothing is learned.
  ///   - outputs: of the first objective, where nothing is learned; nil does not look at its predictions.
  ///   - dHidden: E [M, d], written.
  ///   - accumulates: whether dU is added to what is there.
  ///   - sums: one an objective, added to.
  func run(
    _ parameters: ParameterView, objectives: [Int], hidden: UnsafeMutableRawPointer, targets: [SparseTargets],
    entropy: [UnsafeMutablePointer<Float>], losses: [UnsafeMutablePointer<Float>],
    shaped: [ShapedCrossEntropy.Results?], stage: TargetStage?, hits: UnsafeMutablePointer<UInt8>,
    firstHits: UnsafeMutablePointer<UInt8>?,
    ranking: (objective: Int, positions: [Bool])?, outputs: HeadOutputs?, factors: LossFactors?,
    dHidden: UnsafeMutableRawPointer, accumulates: Bool, logits: UnsafeMutableRawPointer, into sums: inout [LossSum]
  ) {
    let width = configuration.width
    let dLogits = logits + chunks.gradient.offset
    for first in Swift.stride(from: 0, to: positions, by: chunks.rows) {
      let count = min(chunks.rows, positions - first)
      let unembedding = count == chunks.rows ? whole : rest!
      let h = hidden + first * width * precision.bytes
      unembedding.forward(parameters, x: h, y: logits)
      for (head, objective) in objectives.enumerated() {
        let targets = targets[objective].from(first)
        func columns(_ base: UnsafeMutableRawPointer, _ stride: Int, _ precision: Precision) -> Matrix {
          Matrix(base, rows: count, columns: chunks.stride, stride: stride, precision: precision)
            .columns(head * configuration.vocabulary, count: configuration.vocabulary)
        }
        let z = columns(logits, chunks.stride, .fp32)
        let gradient = factors.map {
          SparseCrossEntropy.Gradient(
            out: columns(dLogits, chunks.gradient.stride, precision), factor: $0[objective])
        }
        StepPart.losses.measured(bytes: z.rows * z.columns * (4 + (factors == nil ? 0 : precision.bytes))) {
          if let gradient, let results = shaped[objective],
            let shape = configuration.objectives[objective].shape(at: stage)
          {
            ShapedCrossEntropy.rows(
              z, targets: targets, shape: shape, results: results.from(first), gradient: gradient, threads: threads)
          } else if case .presence(let presence) = forms[objective] {
            presence.rows(
              z, targets: targets, losses: losses[objective] + first, gradient: gradient, threads: threads)
            if factors == nil { hits.update(repeating: 0, count: count) }
          } else {
            SparseCrossEntropy.rows(
              z, targets: targets, losses: losses[objective] + first, hits: factors == nil ? hits : nil,
              gradient: gradient, threads: threads)
          }
        }
        guard factors == nil else { continue }
        for t in 0..<count { sums[objective].hits += Int(hits[t]) }
        if objective == 0, let firstHits { (firstHits + first).update(from: hits, count: count) }
        if objective == 0, let outputs {
          let start = ContinuousClock.now
          OutputStatistics.rows(
            z, entropy: outputs.entropy.start + first, confidence: outputs.confidence.start + first, threads: threads)
          outputs.seconds += (ContinuousClock.now - start) / .seconds(1)
        }
        if let ranking, ranking.objective == objective {
          sums[objective].ranks.add(ranks(in: z, targets, at: ranking.positions[first..<first + count]))
        }
      }
      if factors != nil {
        unembedding.backward(
          parameters, dy: dLogits, x: h, dx: dHidden + first * width * precision.bytes,
          accumulates: accumulates || first > 0)
      }
    }
    for (head, objective) in objectives.enumerated() {
      if case .discounted(let discount) = forms[objective] {
        correct(
          parameters, head: head, discount: discount, hidden: hidden, targets: targets[objective],
          losses: losses[objective], dHidden: dHidden, factor: factors?[objective])
      }
      var sum = LossSum()
      for t in 0..<positions where targets[objective].counts[t] > 0 {
        sum.loss += Double(losses[objective][t])
        sum.entropy += Double(entropy[objective][t])
        sum.positions += 1
      }
      if let results = shaped[objective], factors != nil, configuration.objectives[objective].shape(at: stage) != nil {
        (sum.trained, sum.spread) = (0, 0)
        for t in 0..<positions where targets[objective].counts[t] > 0 {
          sum.trained! += Double(results.losses[t])
          sum.spread! += Double(results.entropies[t])
        }
      }
      sums[objective].add(sum)
    }
  }

  /// From the next token's losses and gradients to those of all that follow.
  /// - Parameters:
  ///   - head: its place among the unembeddings.
  ///   - factor: nil computes no gradient.
  private func correct(
    _ parameters: ParameterView, head: Int, discount: Float, hidden: UnsafeMutableRawPointer, targets: SparseTargets,
    losses: UnsafeMutablePointer<Float>, dHidden: UnsafeMutableRawPointer, factor: Float?
  ) {
    let (V, d) = (configuration.vocabulary, configuration.width)
    let place = offset + head * V * d
    func states(_ base: UnsafeMutableRawPointer) -> Matrix {
      Matrix(base, rows: positions, columns: d, precision: precision)
    }
    let future = DiscountedTargets(discount: discount, context: configuration.context)
    StepPart.losses.measured(bytes: positions * d * (2 + (factor == nil ? 0 : 4)) * precision.bytes) {
      future.correct(
        states(hidden), Matrix(parameters.operand(place), rows: V, columns: d, precision: precision), targets: targets,
        losses: losses, dh: factor.map { _ in states(dHidden) }, factor: factor ?? 0, threads: threads)
      guard let factor else { return }
      future.correctUnembedding(
        states(hidden), targets: targets, du: Matrix(parameters.gradient(place), rows: V, columns: d), factor: factor,
        threads: threads)
    }
  }

  /// How good the rankings of some rows of logits are, summed up in the order of the rows.
  private func ranks(in z: Matrix, _ targets: SparseTargets, at isAsked: ArraySlice<Bool>) -> RankSum {
    let rows = zip(0..<z.rows, isAsked).compactMap { $1 && targets.counts[$0] > 0 ? $0 : nil }
    let capacity = targets.capacity
    var ranks = [Int32](repeating: 0, count: rows.count * capacity)
    ranks.withUnsafeMutableBufferPointer { ranks in
      guard let base = ranks.baseAddress else { return }
      Team.split(rows.count, threads: threads) { _, share in
        for index in share {
          let row = rows[index]
          Ranking.ranks(
            z, row: row, of: targets.tokens + row * capacity, count: Int(targets.counts[row]),
            into: base + index * capacity)
        }
      }
    }
    var sum = RankSum()
    for (index, row) in rows.enumerated() {
      sum.add(RankQuality(ranks: ranks[index * capacity..<index * capacity + Int(targets.counts[row])]))
    }
    return sum
  }
}
