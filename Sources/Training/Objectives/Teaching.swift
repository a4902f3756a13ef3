// A stored teacher in training: its predictions at the positions of a step. And a network as a teacher: its predictions for a text.
import Corpus
import Kernels
import Run
import Transformer

/// Reads a teacher's file for the rows of a step.
final class Teaching {
  private let file: TeacherFile
  private let context: Int
  /// Tokens of a position.
  private let count: Int
  /// [rows of a step, T, count] each.
  private let tokens: FixedArray<Int32>
  private let weights: FixedArray<Float>

  /// - Throws: `CorpusError` when the recipe's file cannot be read, or is about another text or tokenizer.
  init(_ recipe: Recipe, _ corpus: Corpus) throws(CorpusError) {
    let file: TeacherFile
    do {
      file = try TeacherFile(at: recipe.objective.teacher.file)
    } catch {
      guard error.kind == .missing || error.kind == .unreadable else { throw error }
      throw CorpusError(
        error.kind,
        "objective.teacher.file: \(error.description); write it again with “foretop teach”, or name its place with --set "
          + "objective.teacher.file=FILE")
    }
    try file.check(for: corpus)
    self.file = file
    context = recipe.model.context
    count = min(recipe.objective.teacher.top, file.header.top)
    let size = recipe.tokensPerStep * count
    tokens = FixedArray(repeating: 0, count: size)
    weights = FixedArray(repeating: 0, count: size)
  }

  /// Bytes that it takes, at most.
  static func bytes(_ recipe: Recipe) -> Int { 8 * recipe.tokensPerStep * recipe.objective.teacher.top }

  /// Reads what the teacher predicts in rows that begin at these tokens of the training part.
  /// - Throws: `CorpusError` when the file cannot be read, has changed, or is damaged.
  func read(_ starts: [Int]) throws(CorpusError) {
    for (row, start) in starts.enumerated() {
      let place = row * context * count
      try file.read(start..<start + context, most: count, tokens: tokens.start + place, weights: weights.start + place)
    }
  }

  /// What was read last.
  var view: TokenRows.TeacherView {
    TokenRows.TeacherView(tokens: UnsafePointer(tokens.start), weights: UnsafePointer(weights.start), count: count)
  }
}

extension RunPlan {
  /// Rows whose predictions are read for a measurement, at most.
  private static let measuredRows = 64

  /// Seconds in which a teacher's predictions for the rows of a step are read, as measured; nil without a teacher, and where its file
  /// cannot be read.
  package var secondsOfReadingTeacher: Double? {
    let (teacher, context, all) = (recipe.objective.teacher, recipe.model.context, recipe.samplesPerStep)
    guard teacher.isThere, let file = try? TeacherFile(at: teacher.file), file.header.positions >= context else {
      return nil
    }
    let (count, rows) = (min(teacher.top, file.header.top), min(all, Self.measuredRows))
    let tokens = FixedArray<Int32>(repeating: 0, count: context * count)
    let weights = FixedArray<Float>(repeating: 0, count: context * count)
    var best = Double.infinity
    // The first time, the file may come from the disk.
    for _ in 0..<2 {
      var watch = Stopwatch()
      for row in 0..<rows {
        let start = Int(Double(file.header.positions - context) * Double(row) / Double(rows))
        guard
          (try? file.read(start..<start + context, most: count, tokens: tokens.start, weights: weights.start)) != nil
        else { return nil }
      }
      best = min(best, watch.lap())
    }
    return best * Double(all) / Double(rows)
  }
}

extension TrainedNetwork {
  /// Predicts every next token of a text, in windows of the network's context, each position from what its window has before it.
  /// - Parameters:
  ///   - top: tokens a position, at most the vocabulary.
  ///   - temperature: predictions are softmax(z / temperature).
  ///   - append: receives the predictions of the next positions.
  ///   - progress: receives how many of how many tokens are done.
  /// - Throws: `CorpusError` when the text cannot be read; `UserError` when the machine cannot compute; what `append` throws.
  package func teach(
    on part: TokenRange, top: Int, temperature: Double, to append: (TeacherRows) throws -> Void,
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws {
    let (T, V, d) = (recipe.model.context, model.configuration.vocabulary, recipe.model.width)
    let stride = T + max(1, model.lookahead)
    let isDivided = part.hasDocuments && recipe.data.documents == .separate
    var tokens = [Int32](repeating: -1, count: model.rows * stride)
    var documents = [Int32](repeating: -1, count: isDivided ? model.rows * stride : 0)
    // As many positions at a time as have logits of some megabytes.
    let piece = max(1, min(T, (4 << 20) / V))
    var rows = TeacherRows(
      tokens: [Int32](repeating: 0, count: piece * top), weights: [Float](repeating: 0, count: piece * top))
    var done = 0
    while done < part.count {
      for index in tokens.indices { tokens[index] = -1 }
      var filled = 0
      while filled < model.rows, done + filled * T < part.count {
        let stretch = done + filled * T..<min(part.count, done + (filled + 1) * T)
        try tokens.withUnsafeMutableBufferPointer { buffer throws(CorpusError) in
          try part.copy(stretch, to: buffer.baseAddress! + filled * stride)
        }
        if isDivided {
          documents.withUnsafeMutableBufferPointer {
            part.copyDocuments(stretch, to: $0.baseAddress! + filled * stride)
          }
        }
        filled += 1
      }
      tokens.withUnsafeBufferPointer { tokens in
        documents.withUnsafeBufferPointer { documents in
          model.forward(
            TokenRows(
              tokens: tokens.baseAddress!, rows: model.rows, context: T, stride: stride,
              documents: isDivided ? documents.baseAddress : nil))
        }
      }
      if let failure = model.failure { throw UserError(failure) }
      let states = model.hiddenStates()
      let known = min(part.count - done, filled * T)
      for first in Swift.stride(from: 0, to: known, by: piece) {
        let count = min(piece, known - first)
        var logits = model.logits(head: 0, hidden: states[first * d..<(first + count) * d])
        logits.withUnsafeMutableBufferPointer { z in
          rows.tokens.withUnsafeMutableBufferPointer { tokens in
            rows.weights.withUnsafeMutableBufferPointer { weights in
              TopProbabilities.rows(
                Matrix(z.baseAddress!, rows: count, columns: V), temperature: Float(temperature), top: top,
                tokens: tokens.baseAddress!, weights: weights.baseAddress!, threads: model.threads)
            }
          }
        }
        try append(
          TeacherRows(
            tokens: Array(rows.tokens[..<(count * top)]), weights: Array(rows.weights[..<(count * top)])))
      }
      done += known
      progress(done, part.count)
    }
  }
}
