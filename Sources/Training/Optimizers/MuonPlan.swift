// Which matrices Muon updates, and which thread does which: known before there is memory for them.
import Kernels
import Run
import Transformer

/// A matrix whose momentum is made orthogonal.
struct MuonMatrix: Hashable, Sendable {
  /// Its first element in the parameters.
  let offset: Int
  let rows: Int
  let columns: Int

  var count: Int { rows * columns }

  /// Multiplications and additions of an iteration's products: x·xᵀ, A² and what x is multiplied with.
  var operations: Double {
    let (short, long) = (Double(min(rows, columns)), Double(max(rows, columns)))
    return 2 * short * short * (2 * long + short)
  }
}

/// How Muon's work is shared out: each thread has matrices of its own, or where these would be too unequal, the whole team works
/// on one matrix after the other. It depends on nothing but the network's shape and the number of threads.
package struct MuonPlan: Sendable {
  let precision: Precision
  /// Who works on what: one list a thread, or one list for all threads together.
  let shares: [[MuonMatrix]]
  /// Threads that work on one matrix.
  let threadsOfShare: Int
  /// Bytes of the room of each share.
  let rooms: [Int]

  /// A share may take so many times what it would with equal ones.
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

  /// Bytes that it works with.
  package var bytes: Int { rooms.reduce(0, +) }

  /// Room for the matrix on its way, then for the parts of its norm.
  static func room(of matrix: MuonMatrix, _ precision: Precision) -> (norm: Int, bytes: Int) {
    let room = NewtonSchulzRoom(rows: matrix.rows, columns: matrix.columns, precision: precision).bytes
    return (room, room + VectorMath.pieces(of: matrix.count) * MemoryLayout<Double>.stride)
  }

  /// Queries, keys and values that are one tensor are three matrices: each has a scale of its own.
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

  /// The most work first, each to the thread that has the least: threads end at about the same time.
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
