// Every kernel compared with its bound: the bandwidth of a copy for the bytes that it must move, or the peak of multiply-adds
// for its arithmetic. Both bounds are measured in the same rounds.
import Kernels
import Training
import Transformer

extension Bench {
  /// Measures every kernel.
  package func kernels() throws -> ReportTable {
    try Team.require(threads)
    var table = ReportTable(
      name: "kernels",
      about: [
        "each kernel, on operands of 64 MB in fp32, with \(threads) threads; medians of \(rounds) rounds",
        "limit: the time of the bytes at a copy's GB/s, or of the arithmetic at the peak of multiply-adds, whichever is longer",
      ],
      columns: [
        .column("kernel", "kernel"), .column("precision", "in"), .column("milliseconds", "ms", 2),
        .column("spread", "± %", 1), .column("gigaelements", "G elements/s", 2), .column("gigabytes", "GB/s", 1),
        .column("gigaflops", "GFLOP/s"), .column("bound", "bound by"), .column("share", "share %"),
      ])
    progress("kernels: operands")
    let operands = try Operands(threads: threads)
    var measured: [KernelCase] = []
    // One precision after the other, since the same memory holds the operands of both.
    for precision in Workload.precisions.reversed() {
      if precision == .bf16 { for index in [0, 1] { operands.round(index) } }
      var cases = precision == .fp32 ? yardsticks(operands) + shared(operands) : []
      cases += rows(operands, precision)
      for round in 0...rounds {
        progress("kernels: \(precision), round \(round) of \(rounds)")
        for index in cases.indices {
          let time = seconds(cases[index].body)
          if round > 0 { cases[index].times.add(time) }
        }
      }
      measured += cases
    }
    let bandwidth = measured[0].bytes / measured[0].times.median
    let peak = measured[1].operations / measured[1].times.median
    for (index, one) in measured.enumerated() {
      let time = one.times.median
      let (byBytes, byOperations) = (one.bytes / bandwidth, one.operations / (peak * one.peak))
      table.add(
        .text(one.name), one.precision.map { .text("\($0)") } ?? .none, .number(time * 1000),
        .number(one.times.spread * 100), one.elements > 0 ? .number(one.elements / time * 1e-9) : .none,
        one.bytes > 0 ? .number(one.bytes / time * 1e-9) : .none,
        one.operations > 0 ? .number(one.operations / time * 1e-9) : .none,
        .text(index == 0 ? "is the bandwidth" : index == 1 ? "is the peak" : byBytes > byOperations ? "memory" : "FMA"),
        .number(max(byBytes, byOperations) / time * 100))
    }
    return table
  }

  /// The bounds: a copy, and multiply-adds on registers.
  private func yardsticks(_ o: Operands) -> [KernelCase] {
    let bytes = Operands.rows * Operands.width * 4
    let rounds = 2_000_000
    return [
      KernelCase(
        name: "copy", precision: nil, elements: Double(bytes / 4), bytes: Double(2 * bytes), operations: 0,
        body: { [threads] in Peak.copy(o.floats(2), to: o.floats(3), bytes: bytes, threads: threads) }),
      KernelCase(
        name: "multiply-add", precision: nil, elements: 0, bytes: 0,
        operations: Peak.operationsPerRound * Double(rounds * threads),
        body: { [threads] in _ = Peak.multiplyAdd(rounds: rounds, threads: threads) }),
    ]
  }

  /// The kernels that exist in fp32 only.
  private func shared(_ o: Operands) -> [KernelCase] {
    let n = Operands.rows * Operands.width
    let threads = threads
    let adam = AdamW(
      beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, rate: 1e-6, clip: 1, step: 0)
    return [
      KernelCase(
        name: "embedding", precision: .fp32, elements: Double(n), bytes: 8 * Double(n), operations: 0,
        body: {
          Embedding.forward(
            o.floats(2), tokens: o.tokens, context: Operands.rows, stride: Operands.rows, x: o.matrix(3),
            threads: threads)
        }),
      KernelCase(
        name: "embedding, backward", precision: .fp32, elements: Double(n), bytes: 12 * Double(n),
        operations: Double(n),
        body: {
          Embedding.backward(
            o.matrix(3), tokens: o.tokens, context: Operands.rows, stride: Operands.rows, dTable: o.floats(2),
            threads: threads)
        }),
      KernelCase(
        name: "gradient norm", precision: .fp32, elements: Double(n), bytes: 4 * Double(n), operations: 2 * Double(n),
        body: { _ = VectorMath.norm(o.floats(3), count: n, partial: o.partial, threads: threads) }),
      KernelCase(
        name: "AdamW with bf16 copy", precision: .fp32, elements: Double(n), bytes: 30 * Double(n),
        operations: 16 * Double(n),
        body: {
          // Block 5 is only read, as the gradient.
          adam.update(
            w: o.floats(2), g: o.floats(5), m: o.floats(3), v: o.floats(4),
            rounded: UnsafeMutableRawPointer(o.floats(1)), count: n, threads: threads)
        }),
    ]
  }

  /// The kernels on rows, with operands in one precision. Blocks 0 and 1 are operands, blocks 2 to 4 fp32 streams.
  private func rows(_ o: Operands, _ precision: Precision) -> [KernelCase] {
    let (R, d, n) = (Operands.rows, Operands.width, Double(Operands.rows * Operands.width))
    let E = Double(precision.bytes)
    let threads = threads
    let scale = o.table
    let halves = precision == .bf16
    return [
      KernelCase(
        name: "RMSNorm", precision: precision, elements: n, bytes: (4 + E + 4 + E) * n, operations: 5 * n,
        body: {
          RMSNorm.forward(
            o.matrix(2), adding: o.matrix(0, precision), w: o.floats(5), epsilon: 1e-6, sum: o.matrix(3),
            y: o.matrix(1, precision), scale: scale, threads: threads)
        }),
      KernelCase(
        name: "RMSNorm, backward", precision: precision, elements: n, bytes: (E + 4 + 8 + (halves ? 2 : 0)) * n,
        operations: 12 * n,
        body: {
          RMSNorm.backward(
            o.matrix(0, precision), x: o.matrix(2), w: o.floats(5), scale: scale, dx: o.matrix(3), addsTo: true,
            operand: halves ? o.matrix(1, precision) : nil, dw: o.floats(4), partial: o.floats(4) + d,
            threads: threads)
        }),
      KernelCase(
        name: "rotary", precision: precision, elements: n, bytes: 2 * E * n, operations: 3 * n,
        body: {
          Rotary.forward(
            o.matrix(0, precision), heads: d / Operands.headWidth, headWidth: Operands.headWidth, table: o.floats(5),
            context: Operands.context, threads: threads)
        }),
      KernelCase(
        name: "SwiGLU", precision: precision, elements: n / 2, bytes: 1.5 * E * n, operations: 13 * n,
        body: {
          SwiGLU.forward(
            o.matrix(0, precision), s: o.matrix(1, columns: d / 2, precision).rows(0, count: R), threads: threads)
        }
      ),
      KernelCase(
        name: "SwiGLU, backward", precision: precision, elements: n / 2, bytes: 3 * E * n, operations: 16 * n,
        body: {
          let half = o.matrix(1, columns: d / 2, precision)
          SwiGLU.backward(
            half.rows(0, count: R), gu: o.matrix(0, precision), s: half.rows(R, count: R), threads: threads)
        }),
      KernelCase(
        name: "cross-entropy with gradient", precision: precision, elements: n, bytes: (4 + E) * n,
        operations: 26 * n,
        body: {
          let z = o.matrix(2, columns: Operands.vocabulary)
          SparseCrossEntropy.rows(
            z, targets: o.targets, losses: scale,
            gradient: SparseCrossEntropy.Gradient(
              out: precision == .fp32 ? z : o.matrix(1, columns: Operands.vocabulary, .bf16), factor: 1),
            threads: threads)
        }),
      attention(o, precision, isBackward: false), attention(o, precision, isBackward: true),
      attentionProducts(o, precision),
      KernelCase(
        name: "matrix × vector", precision: precision, elements: n, bytes: E * n, operations: 2 * n,
        body: {
          MatrixVector.multiply(o.matrix(0, precision), o.floats(5), into: o.floats(4), threads: threads)
        }),
    ]
  }

  /// The row kernels on attention's tiles: 64 queries and the whole context, in a core's cache as in training.
  private func attention(_ o: Operands, _ precision: Precision, isBackward: Bool) -> KernelCase {
    let (m, T, threads) = (64, Operands.context, threads)
    let tiles = 256
    let n = Double(m * T * tiles)
    return KernelCase(
      name: isBackward ? "attention's softmax, backward" : "attention's softmax", precision: precision, elements: n,
      bytes: 0, operations: (isBackward ? 26 : 27) * n,
      body: {
        Team.split(tiles, threads: threads) { worker, range in
          func tile(_ block: Int, _ precision: Precision) -> Matrix {
            Matrix(
              UnsafeMutableRawPointer(o.floats(block)) + worker * m * T * 4, rows: m, columns: T, precision: precision)
          }
          let lse = o.table + worker * m
          let running = AttentionRows.Running(maximum: lse, sum: lse, factor: lse)
          let sight = AttentionRows.Sight(firstRow: T - m, firstKey: 0)
          for _ in range {
            if isBackward {
              AttentionRows.backward(
                tile(3, .fp32), dWeights: tile(4, .fp32), weights: tile(0, precision), dScores: tile(1, precision),
                lse: lse, dots: lse, sight: sight, alpha: 0.125)
            } else {
              AttentionRows.forward(
                tile(3, .fp32), weights: tile(0, precision), running: running, isFirst: true, sight: sight, alpha: 0.125
              )
            }
          }
        }
      })
  }

  /// The products of attention's tiles: 64 queries and as many keys as fit into a core's cache. In bf16 one instruction does
  /// two multiply-adds, so that the peak is twice as high.
  private func attentionProducts(_ o: Operands, _ precision: Precision) -> KernelCase {
    let (m, n, h, threads) = (64, 512, Operands.headWidth, threads)
    let tiles = 2048
    let elements = PackedOperands.elements(precision)
    return KernelCase(
      name: "attention's products", precision: precision, elements: 0, bytes: 0,
      operations: Double(2 * m * n * h * tiles), peak: Double(elements),
      body: {
        Team.split(tiles, threads: threads) { worker, range in
          func words(_ block: Int) -> UnsafeMutablePointer<UInt32> {
            (UnsafeMutableRawPointer(o.floats(block)) + worker * n * h * 4).assumingMemoryBound(to: UInt32.self)
          }
          for _ in range {
            TileProduct.run(
              TileProduct.Left(words(0), row: h / elements), words(1), stride: n, into: o.floats(3) + worker * m * n,
              cStride: n, m: m, n: n, k: h / elements, part: .columns(offset: n), accumulates: false,
              precision: precision)
          }
        }
      })
  }
}
