// Copies the training state into a checkpoint, and restores it.
import Corpus
import Kernels
import Run
import Transformer

extension Trainer {
  /// Numbers of each of a checkpoint's blocks: weights, and either of the moments.
  package var checkpointNumbers: (weights: Int, moments: Int) {
    let layout = model.parameters.layout
    return (layout.count, recipe.leavesOutMoments ? layout.stored : layout.count)
  }

  /// Bytes of a checkpoint.
  package var checkpointBytes: Int {
    4 * (checkpointNumbers.weights * (recipe.data.drawn.isOn ? 2 : 1) + 2 * checkpointNumbers.moments)
  }

  /// A complete copy of the training state: everything that determines the following steps.
  package var checkpoint: Checkpoint {
    model.parameters.bringTablesUpToDate(threads: model.threads)
    return copyOfState(in: nil)
  }

  /// The training state without weights and moments.
  package var checkpointWithoutNumbers: Checkpoint {
    Checkpoint(
      state: state, recipe: recipe,
      tokenizer: TokenizerRecord(
        kind: corpus.tokenizer.kind.rawValue, model: corpus.tokenizer.model, vocabulary: corpus.tokenizer.vocabulary),
      tensors: model.parameters.layout.tensors.map {
        Checkpoint.Tensor(path: $0.path, shape: $0.shape, offset: $0.offset)
      },
      weights: [], firstMoments: [], secondMoments: [])
  }

  /// A copy of the training state, complete but for some tables. Rows of all other tables must be up to date.
  /// - Parameters:
  ///   - spare: a checkpoint that is no longer needed; its memory is reused, since the kernel would have to clear new memory
  ///     page by page.
  ///   - later: elements of tables that are copied afterwards, in ascending order.
  func copyOfState(in spare: consuming Checkpoint?, without later: [Range<Int>] = []) -> Checkpoint {
    var copy = spare ?? checkpointWithoutNumbers
    // A spare one has the recipe of its last state, and commands change numbers of the recipe.
    (copy.state, copy.recipe) = (state, recipe)
    let numbers = checkpointNumbers
    model.copy(model.parameters.weights, count: numbers.weights, without: later, into: &copy.weights)
    copy.drawing = recipe.data.drawn.isOn ? drawing?.frozen ?? [] : []
    if let ranked, ranked.isSharded {
      // `beginCheckpoint` sees whether a rank is lost.
      try? order(.moments)
      ranked.collectMoments(of: model, into: &copy)
    } else {
      model.copy(model.parameters.firstMoments, count: numbers.moments, without: later, into: &copy.firstMoments)
      model.copySecondMoments(count: numbers.moments, without: later, into: &copy.secondMoments)
    }
    return copy
  }
}

extension Transformer {
  /// Copies the second moments to where the weights lie in their block. Those that Muon has no use for are zero.
  /// - Parameter later: elements of tables that are left out.
  fileprivate func copySecondMoments(count: Int, without later: [Range<Int>], into block: inout [Float]) {
    let layout = parameters.layout
    guard layout.secondMoments < layout.count else {
      return copy(parameters.secondMoments, count: count, without: later, into: &block)
    }
    if block.count != count { block = [Float](repeating: 0, count: count) }
    let source = parameters.secondMoments
    block.withUnsafeMutableBufferPointer { buffer in
      let destination = buffer.baseAddress!
      for tensor in layout.tensors {
        guard let place = tensor.secondMoment, tensor.offset + tensor.count <= count,
          !later.contains(where: { $0.contains(tensor.offset) })
        else { continue }
        // All threads on each: the table of a memory layer can have more numbers than all other tensors together.
        Team.split(tensor.count, threads: threads, grain: 1024) { _, range in
          (destination + tensor.offset + range.lowerBound).update(
            from: source + place + range.lowerBound, count: range.count)
        }
      }
    }
  }

  /// Copies one block of parameters on all threads.
  /// - Parameter later: elements that are left out, in ascending order.
  func copy(
    _ base: UnsafeMutablePointer<Float>, count: Int, without later: [Range<Int>] = [], into block: inout [Float]
  ) {
    if block.count != count, !later.isEmpty { block = [Float](repeating: 0, count: count) }
    if block.count == count {
      block.withUnsafeMutableBufferPointer { buffer in
        let destination = buffer.baseAddress!
        for part in Self.parts(of: count, without: later) {
          let (from, to) = (base + part.lowerBound, destination + part.lowerBound)
          Team.split(part.count, threads: threads, grain: 1024) { _, range in
            (to + range.lowerBound).update(from: from + range.lowerBound, count: range.count)
          }
        }
      }
    } else {
      block = Array(unsafeUninitializedCapacity: count) { buffer, filled in
        let destination = buffer.baseAddress!
        Team.split(count, threads: threads, grain: 1024) { _, range in
          (destination + range.lowerBound).initialize(from: base + range.lowerBound, count: range.count)
        }
        filled = count
      }
    }
  }

  /// The parts of 0 ..< count outside of some ranges, which are in ascending order.
  private static func parts(of count: Int, without ranges: [Range<Int>]) -> [Range<Int>] {
    var parts: [Range<Int>] = []
    var first = 0
    for range in ranges where range.lowerBound < count {
      if first < range.lowerBound { parts.append(first..<range.lowerBound) }
      first = range.upperBound
    }
    if first < count { parts.append(first..<count) }
    return parts
  }
}

extension Transformer {
  /// Takes the weights from a checkpoint, and the moments if the network has them; those that the checkpoint leaves out are zero.
  /// - Parameter owned: ranges whose moments are kept here; nil for all.
  /// - Throws: `UserError` when a tensor is missing or has another shape.
  package func restore(_ checkpoint: Checkpoint, momentsIn owned: [Range<Int>]? = nil) throws(UserError) {
    let stored = Dictionary(checkpoint.tensors.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    for tensor in parameters.layout.tensors {
      guard let source = stored[tensor.path], source.shape == tensor.shape else {
        throw UserError(
          .data,
          "the checkpoint of step \(checkpoint.state.step) has "
            + (stored[tensor.path].map { "\(tensor.path) in shape \($0.shape)" } ?? "no \(tensor.path)")
            + ", but this recipe needs \(tensor.shape): resume with the recipe that the run was made with")
      }
      let whole = tensor.offset..<tensor.offset + tensor.count
      /// - Parameter range: elements of the tensor, as they lie among the parameters.
      func copy(_ block: [Float], _ destination: UnsafeMutablePointer<Float>, _ range: Range<Int>) {
        let first = range.lowerBound - tensor.offset
        block.withUnsafeBufferPointer {
          (destination + first).update(from: $0.baseAddress! + source.offset + first, count: range.count)
        }
      }
      copy(checkpoint.weights, parameters.weights + tensor.offset, whole)
      guard parameters.isTrained else { continue }
      guard source.offset + tensor.count <= min(checkpoint.firstMoments.count, checkpoint.secondMoments.count) else {
        (parameters.firstMoments + tensor.offset).update(repeating: 0, count: tensor.count)
        if let place = tensor.secondMoment {
          (parameters.secondMoments + place).update(repeating: 0, count: tensor.count)
        }
        continue
      }
      for range in (owned ?? [whole]).map({ $0.clamped(to: whole) }) where !range.isEmpty {
        copy(checkpoint.firstMoments, parameters.firstMoments + tensor.offset, range)
        if let place = tensor.secondMoment { copy(checkpoint.secondMoments, parameters.secondMoments + place, range) }
      }
    }
    parameters.forgetPostponedUpdates(threads: threads)
    parameters.roundOperands(threads: threads)
  }
}
