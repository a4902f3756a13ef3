// Inputs that a frozen copy of the network draws (batch-scheduled sampling, arXiv 2410.14655): what the network reads is the text with some
// tokens replaced, what it predicts is the text itself. Which tokens are replaced and by what follows from the seed, the step, the
// frozen weights and the text, so that a resumed run draws the same.
import Corpus
import Foundation
import Kernels
import Run
import Transformer

/// Inputs of a batch, laid out as its tokens.
struct DrawnInputs {
  let tokens: UnsafePointer<Int32>
  /// 0 at positions without loss; nil where the batch's own mask is enough.
  let mask: UnsafePointer<UInt8>?
}

package final class Drawing {
  private let settings: Recipe.DrawnSettings
  private let network: Transformer
  private let random: RandomStream
  private let context: Int
  private let stride: Int
  /// [rows of a step, T + lookahead] each.
  private let tokens: FixedArray<Int32>
  private let mask: FixedArray<UInt8>
  private let count: Int
  /// Whether the last step's inputs were drawn.
  private var isDrawn = false

  /// Positions whose logits exist at a time: some megabytes of them.
  private static func piece(_ vocabulary: Int) -> Int { max(1, (4 << 20) / vocabulary) }

  /// Bytes that it takes, at most.
  /// - Parameters:
  ///   - plan: of the frozen network.
  ///   - weights: of the network that is trained.
  static func bytes(_ recipe: Recipe, _ plan: NetworkPlan, weights: Int) -> Int {
    let (V, d) = (plan.configuration.vocabulary, plan.configuration.width)
    let positions = plan.rows * recipe.model.context
    let logits = 4 * (min(positions, piece(V)) * (V + d) + positions * d)
    return plan.bytes + 4 * weights + 5 * recipe.samplesPerStep * (recipe.model.context + recipe.lookahead) + logits
  }

  /// - Parameter lookahead: tokens behind each row of the batches that it draws for.
  /// - Throws: `UserError` when memory is short.
  package init(_ recipe: Recipe, vocabulary: Int, threads: Int, lookahead: Int) throws {
    do {
      network = try Transformer(
        NetworkPlan(
          recipe.configuration(vocabulary: vocabulary).drawing, rows: recipe.batch.rows,
          precision: try recipe.operandPrecision(), threads: threads, isTrained: false))
    } catch let error as TransformerError {
      throw UserError(error)
    }
    settings = recipe.data.drawn
    random = RandomStream(seed: recipe.seed, purpose: "drawn inputs")
    context = recipe.model.context
    stride = context + lookahead
    count = recipe.samplesPerStep * stride
    tokens = FixedArray(repeating: -1, count: count)
    mask = FixedArray(repeating: 1, count: count)
  }

  /// Takes the weights that a checkpoint has frozen, or those of the network as it is.
  package func begin(with model: Transformer, from checkpoint: Checkpoint?) {
    guard let checkpoint, checkpoint.drawing.count == checkpoint.weights.count else { return freeze(model) }
    frozen = checkpoint.drawing
    adopt(checkpoint.tensors.map { ($0.path, $0.offset) }, threads: model.threads)
  }

  /// All of the network's weights as they were frozen, laid out alike: also those that draw nothing, so that a checkpoint has a whole
  /// network. Empty before `begin`.
  private(set) var frozen: [Float] = []

  private func freeze(_ model: Transformer) {
    model.parameters.bringTablesUpToDate(threads: model.threads)
    model.copy(model.parameters.weights, count: model.parameters.layout.count, into: &frozen)
    adopt(model.parameters.layout.tensors.map { ($0.path, $0.offset) }, threads: model.threads)
  }

  /// Takes those of the frozen weights that draw.
  /// - Parameter tensors: the paths of all tensors, and where their weights begin.
  private func adopt(_ tensors: [(path: String, offset: Int)], threads: Int) {
    let places = Dictionary(tensors, uniquingKeysWith: { first, _ in first })
    frozen.withUnsafeBufferPointer { weights in
      for tensor in network.parameters.layout.tensors {
        guard let place = places[tensor.path] else { continue }
        (network.parameters.weights + tensor.offset).update(
          from: weights.baseAddress! + place, count: tensor.count)
      }
    }
    network.parameters.roundOperands(threads: threads)
  }

  /// Reads the text alone, until `begin`: a copy that draws nothing is not kept.
  func forget() {
    frozen = []
    isDrawn = false
  }

  /// What the last step reads; nil where that is the text.
  var inputs: DrawnInputs? {
    isDrawn
      ? DrawnInputs(tokens: UnsafePointer(tokens.start), mask: settings.mask ? UnsafePointer(mask.start) : nil) : nil
  }

  /// Draws the inputs of a step.
  /// - Parameters:
  ///   - step: steps taken before it.
  ///   - share: ε of the step.
  ///   - model: the network that is trained, which is frozen anew where it is time for that.
  /// - Throws: `UserError` when the machine cannot compute.
  package func draw(_ batch: Batch, at step: Int, share: Double, _ model: Transformer) throws(UserError) {
    if step % settings.every == 0 { freeze(model) }
    isDrawn = share > 0
    guard isDrawn else { return }
    tokens.start.update(from: batch.tokens, count: count)
    if let own = batch.mask {
      mask.start.update(from: own, count: count)
    } else {
      mask.start.update(repeating: 1, count: count)
    }
    let stream = random.branch(UInt64(step))
    let rows = network.rows
    for first in Swift.stride(from: 0, to: batch.rows, by: rows) {
      let chosen = chosen(of: batch, rows: first..<first + rows, share: share, stream)
      guard !chosen.isEmpty else { continue }
      network.forward(TokenRows(batch, first: first, count: rows))
      if let failure = network.failure { throw UserError(failure) }
      replace(chosen, first: first, stream)
    }
  }

  /// A token that is replaced: its row in the batch, and its place in the row.
  private struct DrawnPlace {
    let row: Int
    let place: Int
  }

  /// The first token of a row, or of a document that is apart from the one before, has nothing to be drawn from.
  private func chosen(
    of batch: Batch, rows: Range<Int>, share: Double, _ stream: RandomStream
  ) -> [DrawnPlace] {
    var places: [DrawnPlace] = []
    for row in rows {
      for t in 1..<context {
        let index = row * stride + t
        guard stream.uniform(UInt64(2 * index)) <= share, batch.tokens[index] >= 0,
          batch.documents.map({ $0[index] == $0[index - 1] }) ?? true
        else { continue }
        places.append(DrawnPlace(row: row, place: t))
      }
    }
    return places
  }

  /// Draws each token from what the frozen network predicts after the tokens before it.
  private func replace(_ places: [DrawnPlace], first: Int, _ stream: RandomStream) {
    let (V, d) = (network.configuration.vocabulary, network.configuration.width)
    let states = network.hiddenStates()
    let piece = Self.piece(V)
    for start in Swift.stride(from: 0, to: places.count, by: piece) {
      let part = places[start..<min(start + piece, places.count)]
      var before: [Float] = []
      before.reserveCapacity(part.count * d)
      for place in part {
        let position = (place.row - first) * context + place.place - 1
        before += states[position * d..<(position + 1) * d]
      }
      let logits = network.logits(head: 0, hidden: before[...])
      let list = Array(part)
      Team.split(list.count, threads: network.threads) { _, range in
        for number in range {
          let index = list[number].row * stride + list[number].place
          let z = logits[number * V..<(number + 1) * V]
          tokens[index] = Self.drawn(z, by: stream.uniform(UInt64(2 * index + 1)))
          mask[index] = 0
        }
      }
    }
  }

  /// A token of softmax(z), by a number from 0 to 1.
  private static func drawn(_ z: ArraySlice<Float>, by number: Double) -> Int32 {
    let largest = Double(z.max() ?? 0)
    let total = z.reduce(0.0) { $0 + exp(Double($1) - largest) }
    var left = number * total
    for (token, logit) in z.enumerated() {
      left -= exp(Double(logit) - largest)
      if left < 0 { return Int32(token) }
    }
    return Int32(z.count - 1)
  }
}

extension Configuration {
  /// The trunk with its first head alone, which draws inputs.
  var drawing: Configuration {
    var trunk = self
    trunk.objectives = [.nextToken(NextToken())]
    trunk.multiToken = nil
    trunk.dropout = 0
    return trunk
  }
}
