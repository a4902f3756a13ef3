// Muon's products and memory, for each share of the plan.
import Kernels
import Transformer

final class MuonTeam {
  /// The products and the memory of one share.
  private final class Worker {
    let products: Products
    let tasks: [(matrix: MuonMatrix, orthogonal: NewtonSchulz)]
    private let storage: Storage
    var room: UnsafeMutableRawPointer { storage.base }

    init(_ matrices: [MuonMatrix], precision: Precision, bytes: Int, threads: Int) throws(TransformerError) {
      do throws(ProductError) {
        let products = try Products(threads: threads)
        self.products = products
        tasks = try matrices.map { matrix throws(ProductError) in
          (
            matrix,
            try NewtonSchulz(rows: matrix.rows, columns: matrix.columns, precision: precision, products: products)
          )
        }
      } catch {
        throw TransformerError.kernels("\(error)")
      }
      storage = try Storage(bytes: bytes)
    }
  }

  private let plan: MuonPlan
  private let workers: [Worker]

  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  init(_ plan: MuonPlan) throws(TransformerError) {
    self.plan = plan
    // Making products for one thread resizes the team to one.
    defer { Team.resize(to: max(plan.shares.count, plan.threadsOfShare)) }
    workers = try zip(plan.shares, plan.rooms).map { matrices, bytes throws(TransformerError) in
      try Worker(matrices, precision: plan.precision, bytes: bytes, threads: plan.threadsOfShare)
    }
  }

  /// Floating-point operations of the products of an update.
  var operations: Double {
    Double(NewtonSchulz.iterations) * plan.shares.joined().reduce(0) { $0 + $1.operations }
  }

  /// The error of a failed product; nil if all succeeded.
  var failure: ProductError? {
    for worker in workers { if let failure = worker.products.failure { return failure } }
    return nil
  }

  /// Calls a body for every matrix, those of each share one after the other on the share's own threads: with the share's number and
  /// memory, room for the parts of a norm, and what makes the memory's content orthogonal.
  private func each(
    _ body: (
      _ share: Int, _ matrix: MuonMatrix, _ room: UnsafeMutableRawPointer, _ partial: UnsafeMutablePointer<Double>,
      _ orthogonal: NewtonSchulz
    ) -> Void
  ) {
    Team.run(workers.count) { share in
      let worker = workers[share]
      for (matrix, orthogonal) in worker.tasks {
        let norm = MuonPlan.room(of: matrix, plan.precision).norm
        body(share, matrix, worker.room, (worker.room + norm).assumingMemoryBound(to: Double.self), orthogonal)
      }
    }
  }

  /// ‖Δw‖² of each of its matrices in the update that `update` made last, by the matrix's first element. Its directions are
  /// computed once more.
  func updateSquares(_ parameters: borrowing Parameters, _ muon: Muon) -> [(offset: Int, square: Double)] {
    let (weights, gradients, moments) = (parameters.weights, parameters.gradients, parameters.firstMoments)
    let (precision, threads) = (plan.precision, plan.threadsOfShare)
    // Each share has a list of its own, to which its threads alone write.
    var squares = [[(offset: Int, square: Double)]](repeating: [], count: workers.count)
    squares.withUnsafeMutableBufferPointer { squares in
      each { share, matrix, room, partial, orthogonal in
        let (offset, count) = (matrix.offset, matrix.count)
        let norm = muon.directionNorm(
          g: gradients + offset, m: moments + offset, count: count, partial: partial, threads: threads)
        muon.direct(
          g: gradients + offset, m: moments + offset, norm: norm, into: room, precision: precision, count: count,
          threads: threads)
        let moved = muon.updateNorm(
          w: weights + offset, x: orthogonal(room), precision: precision,
          scale: Muon.scale(rows: matrix.rows, columns: matrix.columns), count: count, partial: partial,
          threads: threads)
        squares[share].append((offset, moved * moved))
      }
    }
    return squares.flatMap { $0 }
  }

  /// Updates the momentum of all matrices, which is stored in the place of AdamW's first moments, and then the weights.
  func update(_ parameters: borrowing Parameters, _ muon: Muon) {
    let (weights, gradients, moments) = (parameters.weights, parameters.gradients, parameters.firstMoments)
    let (rounded, precision, threads) = (parameters.rounded, plan.precision, plan.threadsOfShare)
    each { _, matrix, room, partial, orthogonal in
      let (offset, count) = (matrix.offset, matrix.count)
      StepPart.muon.measured {
        let norm = muon.average(
          g: gradients + offset, into: moments + offset, count: count, partial: partial, threads: threads)
        muon.direct(
          g: gradients + offset, m: moments + offset, norm: norm, into: room, precision: precision, count: count,
          threads: threads)
        muon.update(
          w: weights + offset, x: orthogonal(room), precision: precision,
          scale: Muon.scale(rows: matrix.rows, columns: matrix.columns), rounded: rounded.map { $0 + offset * 2 },
          count: count, threads: threads)
      }
    }
  }
}
