// The matrices that Muon updates, and their division among threads, as known before any allocation.
import Kernels
import Run
import Transformer

/// A matrix whose momentum Muon makes orthogonal.
struct MuonMatrix: Hashable, Sendable {
  /// The index of the matrix's first element in the parameters.
  let offset: Int
  let rows: Int
  let columns: Int

  var count: Int { rows * columns }

  /// Multiplications and additions of an iteration's products: x·xᵀ, A², and the product with x.
  var operations: Double {
    let (short, long) = (Double(min(rows, columns)), Double(max(rows, columns)))
    return 2 * short * short * (2 * long + short)
  }
}

/// The division of Muon's work: each thread has matrices of its own, or, if the shares would be too unequal, all threads work
/// on one matrix after the other. The division depends only on the network's shape and the number of threads.
package struct MuonPlan: Sendable {
  let precision: Precision
  /// The matrices of each share: one list per thread, or one list for all threads together.
  let shares: [[MuonMatrix]]
  /// The number of threads that work on one matrix.
  let threadsOfShare: Int
  /// Bytes of the scratch memory of each share.
  let rooms: [Int]

  /// The largest ratio of a share's work to the mean.
  private static let inequality = 1.15

  package init(_ shape: NetworkShape, precision: Precision, threads: Int) {
    let layout = ParameterLayout(shape, optimizer: .muon)
    let matrices = layout.tensors.filter { $0.secondMoment == nil }.flatMap { Self.matrices(of: $0, in: shape) }
    func room(_ matrices: [MuonMatrix]) -> Int {
      matrices.map { Self.room(of: $0, precision).bytes }.max() ?? 0
    }
    var shares = Self.dealt(matrices, to: threads)
    let work = shares.map { $0.reduce(0) { $0 + $1.operations } }
    let isEven = (work.max() ?? 0) * Double(threads) <= Self.inequality * work.reduce(0, +)
    // No more memory than the parameters themselves take.
    if !isEven || shares.reduce(0, { $0 + room($1) }) > 4 * layout.count { shares = [matrices] }
    self.precision = precision
    self.shares = shares
    threadsOfShare = shares.count == 1 ? threads : 1
    rooms = shares.map(room)
  }

  /// The sum of the scratch memory in bytes.
  package var bytes: Int { rooms.reduce(0, +) }

  /// The scratch memory of a matrix: the iterations' memory, then, at offset `norm`, the partial sums of the norm.
  static func room(of matrix: MuonMatrix, _ precision: Precision) -> (norm: Int, bytes: Int) {
    let room = NewtonSchulzRoom(rows: matrix.rows, columns: matrix.columns, precision: precision).bytes
    return (room, room + VectorMath.pieces(of: matrix.count) * MemoryLayout<Double>.stride)
  }

  /// The matrices of a tensor: queries, keys and values in one tensor are three matrices, each with a scale of its own.
  private static func matrices(of tensor: PlacedTensor, in shape: NetworkShape) -> [MuonMatrix] {
    let (rows, columns) = (tensor.shape[0], tensor.shape[1])
    var parts = [rows]
    if tensor.description.role == .attentionIn, shape.kind.style.names.attentionIn.count == 1 {
      parts = [shape.queryWidth, shape.keyWidth, shape.keyWidth]
    }
    var first = 0
    return parts.map { part in
      defer { first += part }
      return MuonMatrix(offset: tensor.offset + first * columns, rows: part, columns: columns)
    }
  }

  /// Deals matrices to threads, the largest first, each to the thread with the least work, so that threads end at about the
  /// same time.
  private static func dealt(_ matrices: [MuonMatrix], to threads: Int) -> [[MuonMatrix]] {
    var shares = [[MuonMatrix]](repeating: [], count: threads)
    var work = [Double](repeating: 0, count: threads)
    let order = matrices.indices.sorted {
      (matrices[$1].operations, $0) < (matrices[$0].operations, $1)
    }
    for index in order {
      let thread = work.indices.min { (work[$0], $0) < (work[$1], $1) } ?? 0
      shares[thread].append(matrices[index])
      work[thread] += matrices[index].operations
    }
    return shares
  }
}
