// What trials of a network need: rows, masks that are read off, weights that matter, one learned batch.
import Foundation
import Kernels
import Run
import Support
import Testing
import Transformer

/// Rows of random tokens with look-ahead, owned.
struct Rows {
  var tokens: [Int32]
  var documents: [Int32]?
  var mask: [UInt8]?
  /// What a teacher predicts: [rows, T, k] each.
  var teacher: (tokens: [Int32], weights: [Float], count: Int)?
  let rows: Int
  let context: Int
  let stride: Int

  init(_ c: NetworkCase, seed: UInt64, lookahead: Int = 6) {
    var dice = Dice(seed)
    rows = c.rows
    context = c.context
    stride = c.context + lookahead
    tokens = dice.tokens(rows * stride, below: c.vocabulary)
    // The text of the last row ends with its positions.
    for i in (rows - 1) * stride + context..<rows * stride { tokens[i] = -1 }
    if c.masked {
      documents = tokens.indices.map { Int32($0 % stride / c.documentLength) }
      mask = tokens.indices.map { $0 % 3 == 0 ? 0 : 1 }
    }
    let count = c.teacherTokens
    guard count > 0 else { return }
    var prediction: (tokens: [Int32], weights: [Float]) = ([], [])
    for _ in 0..<rows * context {
      prediction.tokens += (0..<Int32(c.vocabulary)).shuffled(using: &dice).prefix(count)
      let weights = (0...count).map { _ in Float.random(in: 0.1...1, using: &dice) }
      // One part is left for all other tokens.
      prediction.weights += weights.dropLast().map { $0 / weights.reduce(0, +) }
    }
    teacher = (prediction.tokens, prediction.weights, count)
  }

  /// What a teacher predicts at a position.
  func taught(_ row: Int, _ t: Int) -> [(token: Int, weight: Double)]? {
    teacher.map { teacher in
      let first = (row * context + t) * teacher.count
      return (first..<first + teacher.count).map { (Int(teacher.tokens[$0]), Double(teacher.weights[$0])) }
    }
  }

  func view<Result>(_ body: (TokenRows) throws -> Result) rethrows -> Result {
    try tokens.withUnsafeBufferPointer { tokens in
      try (documents ?? []).withUnsafeBufferPointer { d in
        try (mask ?? []).withUnsafeBufferPointer { m in
          try (teacher?.tokens ?? []).withUnsafeBufferPointer { named in
            try (teacher?.weights ?? []).withUnsafeBufferPointer { weights in
              try body(
                TokenRows(
                  tokens: tokens.baseAddress!, rows: rows, context: context, stride: stride,
                  documents: documents == nil ? nil : d.baseAddress, mask: mask == nil ? nil : m.baseAddress,
                  teacher: teacher.map {
                    TokenRows.TeacherView(tokens: named.baseAddress!, weights: weights.baseAddress!, count: $0.count)
                  }))
            }
          }
        }
      }
    }
  }
}

extension Transformer {
  /// Tensors by name.
  func tensors(_ base: UnsafeMutablePointer<Float>) -> [String: [Float]] {
    var tables = 0
    return Dictionary(
      uniqueKeysWithValues: parameters.layout.tensors.map { tensor in
        // The gradients of tables are never stored.
        if tensor.description.role == .memoryTable, parameters.isTrained, base == parameters.gradients {
          defer { tables += 1 }
          return (tensor.path, parameters.tableGradient(tables))
        }
        return (tensor.path, Array(UnsafeBufferPointer(start: base + tensor.offset, count: tensor.count)))
      })
  }

  /// Weights large enough that every part of the network matters.
  func shake(_ seed: UInt64) {
    var dice = Dice(seed)
    for tensor in parameters.layout.tensors {
      for i in 0..<tensor.count {
        parameters.weights[tensor.offset + i] =
          tensor.start == .ones ? Float.random(in: 0.5...1.5, using: &dice) : Float.random(in: -0.6...0.6, using: &dice)
      }
    }
    parameters.roundOperands(threads: threads)
  }

  /// Means of the losses, and their weighted sum's gradients in the parameters.
  func learn(
    _ rows: Rows, weights: [Float], noise: RandomStream? = nil, stage: TargetStage? = nil
  ) -> [LossSum] {
    rows.view { batch in
      var counts = [Int](repeating: 0, count: weights.count)
      var losses = [LossSum](repeating: LossSum(), count: weights.count)
      countPositions(batch, into: &counts)
      forward(batch, noise: noise)
      heads(
        batch, weights: weights, denominators: counts, accumulates: false, noise: noise, stage: stage, into: &losses)
      backward(batch, accumulates: false, noise: noise)
      return losses
    }
  }
}

/// The masks of one pass, held still: read off a matrix of ones.
struct Masks {
  private var values: [ReferenceModel.DropoutPlace: (columns: Int, values: [Float])] = [:]
  private let context: Int
  private let heads: Int

  init(_ c: NetworkCase, _ noise: RandomStream) {
    context = c.context
    heads = c.heads
    func fill(_ place: ReferenceModel.DropoutPlace, _ stream: UInt64, rows: Int, columns: Int) {
      var ones = [Float](repeating: 1, count: rows * columns)
      ones.withUnsafeMutableBufferPointer {
        Dropout(rate: c.dropout, random: noise.branch(stream)).apply(
          Matrix($0.baseAddress!, rows: rows, columns: columns), threads: 1)
      }
      values[place] = (columns, ones)
    }
    let positions = c.rows * c.context
    for depth in 0..<UInt64(4) {
      fill(.embeddings(depth: Int(depth)), UInt64.max - depth, rows: positions, columns: c.width)
    }
    for block in 0..<c.blocks + c.objectives.count {
      let first = UInt64(block) * 4
      fill(.weights(block: block), first, rows: positions * c.heads, columns: c.context)
      fill(.attention(block: block), first + 1, rows: positions, columns: c.width)
      fill(.mlp(block: block), first + 2, rows: positions, columns: c.width)
    }
  }

  func value(_ batchRow: Int, _ place: ReferenceModel.DropoutPlace, _ row: Int, _ column: Int) -> Double {
    let (columns, values) = values[place]!
    let first = if case .weights = place { batchRow * heads * context } else { batchRow * context }
    return Double(values[(first + row) * columns + column])
  }
}

/// Leaves a case out, for all to see, where this processor cannot compute in its precision.
func requireHere(_ precision: Precision) throws {
  if precision == .bf16 && !Machine.hasBF16 { try Test.cancel("this processor has no bf16") }
}
