// The MLP of a block with a memory layer beside it: x ← x + MLP(norm(x)) + memory(norm(x)).
import Kernels

struct FeedForwardAndMemoryPlaces: BranchPlaces {
  private let feedForward: FeedForwardPlaces
  private let memory: MemoryPlaces
  private let shape: MemoryShape

  init(_ shape: MemoryShape, _ room: BranchRoom, in layout: inout ArenaLayout) {
    feedForward = FeedForwardPlaces(room, in: &layout)
    memory = MemoryPlaces(shape, room, in: &layout)
    self.shape = shape
  }

  private init(_ feedForward: FeedForwardPlaces, _ memory: MemoryPlaces, _ shape: MemoryShape) {
    self.feedForward = feedForward
    self.memory = memory
    self.shape = shape
  }

  func another(_ room: BranchRoom, in layout: inout ArenaLayout) -> FeedForwardAndMemoryPlaces {
    FeedForwardAndMemoryPlaces(
      feedForward.another(room, in: &layout),
      // A block without a memory layer never uses these.
      room.hasMemory ? MemoryPlaces(shape, room, passing: memory.passing, in: &layout) : memory, shape)
  }

  func widest(_ c: Configuration) -> Int { max(feedForward.widest(c), shape.keyWidth) }
  func fill(_ arena: Arena, _ c: Configuration) {}

  func branch(_ site: BranchSite) throws(ProductError) -> any Branch {
    let feedForward = try FeedForward(site, at: feedForward)
    guard let memory = try MemoryLayer(site, at: memory) else { return feedForward }
    return FeedForwardAndMemory(feedForward: feedForward, memory: memory)
  }
}

struct FeedForwardAndMemory: Branch {
  let feedForward: FeedForward
  let memory: MemoryLayer

  var norm: Norm { feedForward.norm }

  func keep(_ pass: Pass, x: UnsafeMutableRawPointer) {
    feedForward.keep(pass, x: x)
    memory.keep(pass, x: x)
  }

  func finish(_ pass: Pass, into delta: UnsafeMutableRawPointer) {
    if let measurement = pass.measurement { measure(pass, measurement, delta) }
    feedForward.finish(pass, into: delta)
    memory.add(pass, to: delta)
  }

  func backward(
    _ pass: Pass, dy: UnsafeMutableRawPointer, x: UnsafeMutableRawPointer, dx: UnsafeMutableRawPointer,
    accumulates: Bool
  ) {
    feedForward.backward(pass, dy: dy, x: x, dx: dx, accumulates: accumulates)
    memory.backward(pass, dy: dy, x: x, dx: dx, accumulates: accumulates)
  }

  // MARK: Reading

  var cacheSize: Int { feedForward.cacheSize }
  func roomSize(_ shape: ReadingShape) -> Int { max(feedForward.roomSize(shape), memory.roomSize(shape)) }

  func read(
    _ reading: Reading, x: Matrix, into stream: Matrix, cache: UnsafeMutablePointer<Float>
  ) throws(ProductError) {
    try feedForward.read(reading, x: x, into: stream, cache: cache)
    try memory.read(reading, x: x, into: stream)
  }
}
