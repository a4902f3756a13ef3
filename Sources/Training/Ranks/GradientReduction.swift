// Adds up the gradients of all ranks while the backward pass goes on: a unit is begun as soon as its gradients are complete.
// Every rank sends each other rank that one's part of the unit, adds up the parts that it gets in the order of ranks (in fp32),
// and, unless the optimizer's state is divided, sends the sum to all (reduce-scatter, all-gather).
// MPI_Iallreduce would not do: MPI recommends, but does not promise, the same order of sums in every call.
import Kernels
import Run

/// How gradients travel, and what becomes of their sums.
final class GradientReduction {
  let ranks: Ranks
  let units: GradientUnits
  /// True if gradients travel in bf16; they are added up in fp32.
  let isRounded: Bool
  /// True if each rank needs the sums of its own parts only.
  let isSharded: Bool
  /// The units whose sums were begun in this step.
  private var begun: Set<Int> = []

  init(_ ranks: Ranks, _ units: GradientUnits, isRounded: Bool, isSharded: Bool) {
    self.ranks = ranks
    self.units = units
    self.isRounded = isRounded
    self.isSharded = isSharded
  }

  /// Begins to add up a section, which nothing in this step writes to any more.
  func begin(_ section: Range<Int>, of gradients: UnsafeMutablePointer<Float>) {
    for unit in units.indices(in: section) where begun.insert(unit).inserted { begin(unit, gradients) }
  }

  /// Begins what is left, and waits for all.
  /// - Throws: `UserError` when a rank is lost.
  func finish(_ gradients: UnsafeMutablePointer<Float>) throws(UserError) {
    for unit in units.units.indices where !begun.contains(unit) { begin(unit, gradients) }
    begun.removeAll(keepingCapacity: true)
    try ranks.finish()
  }

  private func begin(_ unit: Int, _ gradients: UnsafeMutablePointer<Float>) {
    nonisolated(unsafe) let gradients = gradients
    let (units, isRounded, isSharded) = (units, isRounded, isSharded)
    ranks.begin { worker throws(UserError) in
      let parts = (0..<units.ranks).map { units.part(of: unit, rank: $0) }
      if isRounded {
        try worker.addRounded(parts, units.units[unit], gradients, gathers: !isSharded)
      } else {
        try worker.add(parts, gradients)
        if !isSharded { try worker.gather(parts, gradients) }
      }
    }
  }

  /// Gives every rank the parts of a block that the others own.
  /// - Throws: `UserError` when a rank is lost.
  func gather(_ block: UnsafeMutablePointer<Float>) throws(UserError) {
    nonisolated(unsafe) let block = block
    let units = units
    ranks.begin { worker throws(UserError) in
      for unit in units.units.indices {
        try worker.gather((0..<units.ranks).map { units.part(of: unit, rank: $0) }, block)
      }
    }
    try ranks.finish()
  }
}

extension RankWorker {
  /// Adds up the own part.
  fileprivate func add(_ parts: [Range<Int>], _ gradients: UnsafeMutablePointer<Float>) throws(UserError) {
    let own = parts[link.rank]
    let room = room(4 * own.count * link.count)
    for other in others {
      let part = parts[other]
      if !own.isEmpty {
        try link.begin(.receive(from: other, room + 4 * own.count * other, bytes: 4 * own.count))
      }
      if !part.isEmpty { try link.begin(.send(to: other, gradients + part.lowerBound, bytes: 4 * part.count)) }
    }
    try settle()
    guard !own.isEmpty else { return }
    let sources = (0..<link.count).map { UnsafeRawPointer(room + 4 * own.count * $0) }
    OrderedSum.add(sources, ranks: link.count, rank: link.rank, own: gradients + own.lowerBound, count: own.count)
  }

  /// Gets the parts of the others, and sends them the own one.
  fileprivate func gather(_ parts: [Range<Int>], _ block: UnsafeMutablePointer<Float>) throws(UserError) {
    try beginGathering(parts, block)
    try settle()
  }

  /// Begins that; others may follow before all of them are settled.
  func beginGathering(_ parts: [Range<Int>], _ block: UnsafeMutablePointer<Float>) throws(UserError) {
    let own = parts[link.rank]
    for other in others {
      let part = parts[other]
      if !part.isEmpty { try link.begin(.receive(from: other, block + part.lowerBound, bytes: 4 * part.count)) }
      if !own.isEmpty { try link.begin(.send(to: other, block + own.lowerBound, bytes: 4 * own.count)) }
    }
  }

  /// The same with bf16 on the way. Where all ranks get the sum, all have it rounded, its owner too: their weights stay equal.
  fileprivate func addRounded(
    _ parts: [Range<Int>], _ unit: Range<Int>, _ gradients: UnsafeMutablePointer<Float>, gathers: Bool
  ) throws(UserError) {
    let own = parts[link.rank]
    // The whole unit, rounded; then the others' own parts.
    let received = (2 * unit.count + 63) / 64 * 64
    let room = room(received + 2 * own.count * link.count)
    func rounded(_ part: Range<Int>) -> UnsafeMutableRawPointer { room + 2 * (part.lowerBound - unit.lowerBound) }
    func round(_ part: Range<Int>) {
      VectorMath.round(gradients + part.lowerBound, into: rounded(part), count: part.count, threads: 1)
    }
    for other in others {
      let part = parts[other]
      if !own.isEmpty {
        try link.begin(.receive(from: other, room + received + 2 * own.count * other, bytes: 2 * own.count))
      }
      guard !part.isEmpty else { continue }
      round(part)
      try link.begin(.send(to: other, rounded(part), bytes: 2 * part.count))
    }
    try settle()
    if !own.isEmpty {
      let sources = (0..<link.count).map { UnsafeRawPointer(room + received + 2 * own.count * $0) }
      OrderedSum.addRounded(
        sources, ranks: link.count, rank: link.rank, own: gradients + own.lowerBound, count: own.count)
    }
    guard gathers else { return }
    round(own)
    for other in others {
      let part = parts[other]
      if !part.isEmpty { try link.begin(.receive(from: other, rounded(part), bytes: 2 * part.count)) }
      if !own.isEmpty { try link.begin(.send(to: other, rounded(own), bytes: 2 * own.count)) }
    }
    try settle()
    for part in parts where !part.isEmpty {
      OrderedSum.widen(rounded(part), into: gradients + part.lowerBound, count: part.count)
    }
  }
}

// MARK: Large blocks

extension Ranks {
  private static var piece: Int { 4 << 20 }

  /// Gives all ranks a block of rank 0's memory, each rank to the next one, piece by piece.
  /// - Throws: `UserError` when a rank is lost.
  func broadcast(_ memory: UnsafeMutableRawPointer, bytes: Int) throws(UserError) {
    nonisolated(unsafe) let memory = memory
    let pieces = (bytes + Self.piece - 1) / Self.piece
    begin { worker throws(UserError) in
      let (rank, last) = (worker.link.rank, worker.link.count - 1)
      func place(_ index: Int) -> (UnsafeMutableRawPointer, Int) {
        (memory + index * Self.piece, min(Self.piece, bytes - index * Self.piece))
      }
      for index in 0...pieces {
        if rank > 0, index < pieces {
          let (start, size) = place(index)
          try worker.link.begin(.receive(from: rank - 1, start, bytes: size))
        }
        // What came in the turn before goes on; rank 0 has all from the beginning.
        if rank < last, index > 0 {
          let (start, size) = place(index - 1)
          try worker.link.begin(.send(to: rank + 1, start, bytes: size))
        }
        try worker.settle()
      }
    }
    try finish()
  }

  /// Gives all ranks bytes of rank 0.
  package func broadcast(_ bytes: [UInt8]) throws(UserError) -> [UInt8] {
    var size = [Double(bytes.count)]
    try broadcast(&size)
    let block = ByteBlock(isLeader ? bytes : [UInt8](repeating: 0, count: Int(size[0])))
    try broadcast(block.base, bytes: block.count)
    return block.bytes
  }

  /// Moves floats between rank 0 and the ranks that own them.
  /// - Parameters:
  ///   - units: what each rank owns.
  ///   - toLeader: whether rank 0 receives.
  ///   - place: where an owned range is in this rank's memory.
  /// - Throws: `UserError` when a rank is lost.
  func move(
    _ units: GradientUnits, toLeader: Bool, _ place: (Range<Int>) -> UnsafeMutablePointer<Float>
  ) throws(UserError) {
    for unit in units.units.indices {
      let parts = (0..<count).map { units.part(of: unit, rank: $0) }
      let mine = isLeader ? Array(1..<count) : [rank]
      for owner in mine where !parts[owner].isEmpty {
        nonisolated(unsafe) let memory = UnsafeMutableRawPointer(place(parts[owner]))
        let bytes = 4 * parts[owner].count
        begin { worker throws(UserError) in
          if (worker.link.rank == 0) == toLeader {
            try worker.link.begin(.receive(from: worker.link.rank == 0 ? owner : 0, memory, bytes: bytes))
          } else {
            try worker.link.begin(.send(to: worker.link.rank == 0 ? owner : 0, memory, bytes: bytes))
          }
          try worker.settle()
        }
      }
    }
    try finish()
  }
}

/// Bytes in memory of their own, which another thread reads and writes meanwhile.
private final class ByteBlock: @unchecked Sendable {
  // Unchecked: the thread that made it waits while the other uses it.
  private let memory: UnsafeMutableBufferPointer<UInt8>
  var base: UnsafeMutableRawPointer { UnsafeMutableRawPointer(memory.baseAddress!) }
  let count: Int
  var bytes: [UInt8] { Array(memory.prefix(count)) }

  init(_ bytes: [UInt8]) {
    count = bytes.count
    memory = .allocate(capacity: max(count, 1))
    _ = memory.initialize(from: bytes)
  }

  deinit { memory.deallocate() }
}
