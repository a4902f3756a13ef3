// Attention whose work is divided among threads: whoever computes a part, its bits are those of one thread.
import Kernels
import Run
import Support
import Testing

@testable import Transformer

@Suite struct AttentionTests {
  struct Shape: Sendable, CustomTestStringConvertible {
    var rows = 1
    var heads = 1
    var keyValueHeads = 1
    var context: Int
    var precision = Precision.fp32
    var hasDocuments = false
    var dropout: Float = 0
    var testDescription: String {
      "\(rows) × \(heads)/\(keyValueHeads) heads, \(context) positions, \(precision)"
        + (hasDocuments ? ", documents" : "") + (dropout > 0 ? ", dropout" : "")
    }

    static let samples = [
      Shape(rows: 2, heads: 3, keyValueHeads: 3, context: 70), Shape(heads: 2, context: 300),
      Shape(heads: 1, context: 1100), Shape(heads: 2, context: 1337), Shape(rows: 3, context: 1100, dropout: 0.2),
      Shape(rows: 2, heads: 6, keyValueHeads: 3, context: 1030), Shape(heads: 2, context: 1100, hasDocuments: true),
      Shape(heads: 2, context: 1100, precision: .bf16), Shape(heads: 6, keyValueHeads: 3, context: 2100),
    ]

    var configuration: Configuration {
      NetworkCase(
        testDescription: "", width: 10 * heads, heads: heads, keyValueHeads: keyValueHeads, context: context
      ).configuration
    }
  }

  /// The bytes that a pass there and back writes.
  private struct Written: Equatable {
    var output, lse, dQKV: [UInt8]
  }

  private func written(_ shape: Shape, threads: Int) -> Written {
    let c = shape.configuration
    let positions = shape.rows * c.context
    let stride = c.queryWidth + 2 * c.keyWidth
    var blocks: [UnsafeMutableRawPointer] = []
    defer { for memory in blocks { memory.deallocate() } }
    func block(_ bytes: Int) -> UnsafeMutableRawPointer {
      let block = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 64), alignment: 64)
      block.initializeMemory(as: UInt8.self, repeating: 0x41, count: max(bytes, 64))
      blocks.append(block)
      return block
    }
    func floats(_ count: Int) -> UnsafeMutablePointer<Float> { block(4 * count).assumingMemoryBound(to: Float.self) }
    func bytes(_ base: UnsafeMutableRawPointer, _ count: Int) -> [UInt8] {
      Array(UnsafeRawBufferPointer(start: base, count: count))
    }
    func operand(_ columns: Int, seed: UInt64) -> UnsafeMutableRawPointer {
      var dice = Dice(seed)
      let operand = block(positions * columns * shape.precision.bytes)
      for (i, x) in dice.floats(positions * columns, scale: 2).enumerated() {
        switch shape.precision {
        case .fp32: operand.storeBytes(of: x, toByteOffset: 4 * i, as: Float.self)
        case .bf16: operand.storeBytes(of: UInt16(x.bitPattern >> 16), toByteOffset: 2 * i, as: UInt16.self)
        }
      }
      return operand
    }
    let (qkv, dOutput) = (operand(stride, seed: 1), operand(c.queryWidth, seed: 2))
    let output = block(positions * c.queryWidth * shape.precision.bytes)
    let dQKV = block(positions * stride * shape.precision.bytes)
    let lse = floats(positions * c.heads)
    let angles = floats(c.context * c.headWidth)
    Rotary.fill(angles, context: c.context, headWidth: c.headWidth, theta: 10_000)
    var starts: UnsafeMutablePointer<Int32>?
    if shape.hasDocuments {
      let place = block(4 * positions).assumingMemoryBound(to: Int32.self)
      for i in 0..<positions { place[i] = Int32(i % c.context / 400 * 400) }
      starts = place
    }
    let dropout =
      shape.dropout > 0 ? Dropout(rate: shape.dropout, random: RandomStream(seed: 1, purpose: "test")) : nil
    let attention = Attention(c, precision: shape.precision, threads: threads, rows: shape.rows)
    let scratch = block(Attention.scratchSize(c, precision: shape.precision, threads: threads, rows: shape.rows))
    attention.forward(
      qkv: qkv, output: output, lse: lse, rows: shape.rows, starts: starts.map { UnsafePointer($0) }, scratch: scratch,
      dropout: dropout)
    attention.backward(
      dOutput: dOutput, qkv: qkv, output: output, lse: lse, dQKV: dQKV, angles: angles, rows: shape.rows,
      starts: starts.map { UnsafePointer($0) }, scratch: scratch, dropout: dropout)
    return Written(
      output: bytes(output, positions * c.queryWidth * shape.precision.bytes),
      lse: bytes(lse, 4 * positions * c.heads), dQKV: bytes(dQKV, positions * stride * shape.precision.bytes))
  }

  @Test(arguments: Shape.samples) func `any number of threads gives the bits of one`(shape: Shape) throws {
    try requireHere(shape.precision)
    let one = written(shape, threads: 1)
    // Every number of them is written: none is the pattern that was there before.
    let isWritten = stride(from: 0, to: one.dQKV.count, by: 4).allSatisfy {
      one.dQKV[$0..<$0 + 4] != [0x41, 0x41, 0x41, 0x41]
    }
    #expect(isWritten)
    for threads in [2, 3, 4, 6] {
      let isSame = written(shape, threads: threads) == one
      #expect(isSame, "\(threads) threads")
    }
  }

  @Test func `threads share a group's keys where whole groups would leave some without work`() throws {
    func cut(_ groups: Int, _ context: Int, _ threads: Int) -> [Int]? {
      AttentionCut(groups: groups, context: context, threads: threads).map { [$0.teams, $0.members] }
    }
    // Each has as many groups, or there is but one block of keys, or one thread.
    for (groups, context, threads) in [(16, 4096, 2), (16, 4096, 16), (6, 4096, 3), (1, 512, 2), (1, 4096, 1)] {
      #expect(cut(groups, context, threads) == nil, "\(groups) groups, \(context) positions, \(threads) threads")
    }
    #expect(cut(1, 4096, 2) == [1, 2])
    #expect(cut(3, 4096, 2) == [1, 2])
    #expect(cut(16, 4096, 64) == [16, 4])
    #expect(cut(6, 4096, 4) == [2, 2])
    // Never more members than blocks.
    let many = try #require(AttentionCut(groups: 2, context: 1100, threads: 64))
    #expect(many.teams == 2 && many.members == many.blocks && many.blocks == 3)
  }

  @Test func `each block of keys has one member, and members have about as much to do`() throws {
    let cut = try #require(AttentionCut(groups: 1, context: 4096, threads: 4))
    #expect(cut.members == 4 && cut.blocks == 8 && cut.tiles == 64)
    var blocks: [[Int]] = []
    for member in 0..<cut.members {
      var own: [Int] = []
      cut.eachBlock(of: member) { own.append($0) }
      blocks.append(own)
    }
    #expect(blocks.flatMap { $0 }.sorted() == Array(0..<8) && blocks.allSatisfy { $0 == $0.sorted() })
    let work = blocks.map { $0.reduce(0) { $0 + cut.tiles(seeing: $1) } }
    #expect(Set(work) == [72])
    #expect((0..<64).map { cut.lastBlock(of: $0) } == (0..<64).map { $0 / 8 })
  }

  @Test(arguments: [(6, 4, 4), (1, 64, 5), (16, 64, 64), (7, 1, 3), (3, 2, 8)])
  func `each tile has one worker, and workers have about as much to do`(shape: (pairs: Int, tiles: Int, threads: Int)) {
    let shares = (0..<shape.threads).map {
      Attention.tiles(of: $0, threads: shape.threads, pairs: shape.pairs, tiles: shape.tiles)
    }
    #expect(shares.flatMap { Array($0) } == Array(0..<shape.pairs * shape.tiles))
    let work = shares.map { $0.reduce(0) { $0 + $1 % shape.tiles + 2 } }
    let mean = Double(work.reduce(0, +)) / Double(shape.threads)
    // A worker has at most a tile more than its share.
    #expect(Double(work.max() ?? 0) <= mean + Double(shape.tiles + 1))
  }

  @Test func `where threads divide the pairs, each has whole pairs`() {
    for (pairs, threads) in [(6, 2), (6, 3), (16, 16), (12, 4)] {
      for worker in 0..<threads {
        let each = pairs / threads
        #expect(
          Attention.tiles(of: worker, threads: threads, pairs: pairs, tiles: 5)
            == worker * each * 5..<(worker + 1) * each * 5)
      }
    }
  }
}
