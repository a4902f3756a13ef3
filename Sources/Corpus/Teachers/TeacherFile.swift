// A teacher's predictions for the training part of a corpus, written once by “foretop teach”: at every position the likeliest next
// tokens with their probabilities; what is left of the probability lies on all other tokens together, and is not renormalised.
//
// | at | bytes | what |
// | --- | --- | --- |
// | 0 | 16 | `foretop teacher` and a line's end |
// | 16 | 4 | version of the format |
// | 20 | 4 | bytes of the header's text |
// | 24 | 8 | checksum of that text |
// | 32 | | the header as JSON |
// | 4096 | | blocks of 1024 positions (the last may have fewer), each with a checksum of 8 bytes behind it |
//
// A position has `top` token numbers (2 bytes each, or 4 where the vocabulary has more than 65 536), likeliest first, then `top`
// probabilities in half precision. All numbers are little-endian, as all machines are that foretop runs on.
import Foundation
import Run

/// What a teacher's file was made from and for.
package struct TeacherHeader: Sendable, Equatable {
  /// The teacher in words: `run big at step 2000`, `5-gram`.
  package var teacher: String
  /// SHA-256 of the tokenizer, hexadecimal.
  package var tokenizer: String
  package var vocabulary: Int
  /// The fingerprint of the corpus.
  package var corpus: String
  /// Tokens of the training part: the file has the predictions after each of them.
  package var positions: Int
  /// k: tokens a position.
  package var top: Int
  /// τ: predictions are softmax(z / τ).
  package var temperature: Double

  package init(teacher: String, corpus: Corpus, top: Int, temperature: Double) throws(CorpusError) {
    self.teacher = teacher
    tokenizer = corpus.tokenizer.fingerprint
    vocabulary = corpus.tokenizer.vocabulary
    self.corpus = try corpus.fingerprint
    positions = corpus.training.count
    self.top = min(top, vocabulary)
    self.temperature = temperature
  }

  /// The most tokens that a position may have.
  package static let mostTop = 64

  /// Bytes of a token's number, and of a position.
  package var width: Int { vocabulary <= 1 << 16 ? 2 : 4 }
  package var record: Int { top * (width + 2) }

  var object: JSON {
    .object([
      JSON.Member("teacher", .text(teacher)), JSON.Member("tokenizer", .text(tokenizer)),
      JSON.Member("vocabulary", .integer(vocabulary)), JSON.Member("corpus", .text(corpus)),
      JSON.Member("positions", .integer(positions)), JSON.Member("top", .integer(top)),
      JSON.Member("temperature", .double(temperature)),
    ])
  }

  /// Nil where something is missing or impossible.
  init?(_ object: JSON) {
    guard let teacher = object["teacher"]?.string, let tokenizer = object["tokenizer"]?.string,
      let vocabulary = object["vocabulary"]?.whole, let corpus = object["corpus"]?.string,
      let positions = object["positions"]?.whole, let top = object["top"]?.whole,
      let temperature = object["temperature"]?.number, (1...1 << 24).contains(vocabulary),
      (1...1 << 48).contains(positions), (1...min(vocabulary, Self.mostTop)).contains(top), temperature > 0
    else { return nil }
    self.teacher = teacher
    self.tokenizer = tokenizer
    self.vocabulary = vocabulary
    self.corpus = corpus
    self.positions = positions
    self.top = top
    self.temperature = temperature
  }
}

/// An open file of a teacher's predictions. Every block is checked when it is read.
package final class TeacherFile: Sendable {
  static let magic = Array("foretop teacher\n".utf8)
  static let version: UInt32 = 1
  static let headerSize = 4096
  /// Positions of a block.
  static let block = 1024

  package let header: TeacherHeader
  private let file: WatchedFile

  /// - Throws: `CorpusError` when the file is missing, or not whole: what was written of it is of no use.
  package init(at path: String) throws(CorpusError) {
    let file = try WatchedFile(
      at: path, kind: "file of “foretop teach”", advice: "write it again with “foretop teach”")
    guard file.size >= Self.headerSize else { throw Self.foreign(path) }
    let bytes = try file.bytes(0..<Self.headerSize)
    func number<Number: FixedWidthInteger>(_ place: Int, _: Number.Type) -> Number {
      bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: Number.self) }
    }
    guard bytes[..<16].elementsEqual(Self.magic) else { throw Self.foreign(path) }
    guard number(16, UInt32.self) == Self.version else {
      throw CorpusError(
        .badTeacher, "\(path) is of a format that this foretop does not know: write it again with “foretop teach”")
    }
    let count = Int(number(20, UInt32.self))
    guard count <= Self.headerSize - 32, Self.sum(bytes[32..<32 + count]) == number(24, UInt64.self),
      let object = try? JSON.read(bytes[32..<32 + count]), let header = TeacherHeader(object)
    else { throw Self.damaged(path) }
    let size = Self.size(header)
    guard file.size == size else {
      throw CorpusError(
        .badTeacher, "\(path) has \(file.size) bytes instead of \(size): write it again with “foretop teach”")
    }
    self.file = file
    self.header = header
  }

  /// Bytes of a file.
  package static func size(_ header: TeacherHeader) -> Int {
    headerSize + header.positions * header.record + (header.positions + block - 1) / block * 8
  }

  /// Checks that the predictions are about the training part of a corpus.
  /// - Throws: `CorpusError` that names what differs.
  package func check(for corpus: Corpus) throws(CorpusError) {
    guard header.tokenizer == corpus.tokenizer.fingerprint else {
      throw CorpusError(
        .usage,
        "\(file.path) was made with another tokenizer (\(header.vocabulary) tokens; the corpus has "
          + "\(corpus.tokenizer.vocabulary)): teacher and student need the same one")
    }
    guard header.corpus == (try corpus.fingerprint), header.positions == corpus.training.count else {
      let counts =
        header.positions == corpus.training.count
        ? "" : " (\(header.positions) tokens of training part; this one has \(corpus.training.count))"
      throw CorpusError(
        .usage,
        "\(file.path) was made for another text\(counts), or data.* keys divide or order it otherwise (a random order follows "
          + "from the seed): write it again with “foretop teach”")
    }
  }

  /// The likeliest tokens after each token of a stretch of the training part.
  /// - Parameters:
  ///   - most: tokens of a position that are wanted, at most `header.top`.
  ///   - tokens: [stretch, most], written, likeliest first.
  ///   - weights: [stretch, most], written: their probabilities.
  /// - Throws: `CorpusError` when the file cannot be read, has changed, or is damaged.
  package func read(
    _ stretch: Range<Int>, most: Int, tokens: UnsafeMutablePointer<Int32>, weights: UnsafeMutablePointer<Float>
  ) throws(CorpusError) {
    precondition(
      0 <= stretch.lowerBound && stretch.upperBound <= header.positions && (1...header.top).contains(most),
      "there are \(header.positions) positions of \(header.top) tokens")
    let record = header.record
    var next = stretch.lowerBound
    while next < stretch.upperBound {
      let number = next / Self.block
      let first = number * Self.block
      let count = min(Self.block, header.positions - first)
      let start = Self.headerSize + number * (Self.block * record + 8)
      let bytes = try file.bytes(start..<start + count * record + 8)
      guard
        Self.sum(bytes[..<(count * record)])
          == bytes.withUnsafeBytes({ $0.loadUnaligned(fromByteOffset: count * record, as: UInt64.self) })
      else { throw Self.damaged(file.path) }
      let end = min(stretch.upperBound, first + count)
      for position in next..<end {
        let place = (position - stretch.lowerBound) * most
        guard take(bytes, at: (position - first) * record, most, tokens + place, weights + place) else {
          throw Self.damaged(file.path)
        }
      }
      next = end
    }
  }

  /// - Returns: false where a number is impossible.
  private func take(
    _ bytes: [UInt8], at start: Int, _ most: Int, _ tokens: UnsafeMutablePointer<Int32>,
    _ weights: UnsafeMutablePointer<Float>
  ) -> Bool {
    let (width, top) = (header.width, header.top)
    return bytes.withUnsafeBytes { bytes in
      var sum: Float = 0
      for k in 0..<most {
        let token =
          width == 2
          ? Int(bytes.loadUnaligned(fromByteOffset: start + 2 * k, as: UInt16.self))
          : Int(bytes.loadUnaligned(fromByteOffset: start + 4 * k, as: UInt32.self))
        let weight = Self.number(
          half: bytes.loadUnaligned(fromByteOffset: start + width * top + 2 * k, as: UInt16.self))
        guard token < header.vocabulary, weight >= 0, weight <= 1 else { return false }
        tokens[k] = Int32(token)
        weights[k] = weight
        sum += weight
        for other in 0..<k where tokens[other] == tokens[k] { return false }
      }
      // Half precision rounds up as well as down.
      if sum > 1 { for k in 0..<most { weights[k] /= sum } }
      return true
    }
  }

  /// The Float of a number in half precision. Numbers below 6.1·10⁻⁵ are subnormal in half precision but not as Floats: on some
  /// machines, the conversion by threads that take subnormal operands for zero, as those of a session, would make them 0.
  private static func number(half bits: UInt16) -> Float {
    guard bits & 0x7C00 == 0 else { return Float(Float16(bitPattern: bits)) }
    let magnitude = Float(bits & 0x3FF) * 0x1p-24
    return bits & 0x8000 == 0 ? magnitude : -magnitude
  }

  static func sum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.withUnsafeBytes { bytes in
      var sum = CacheChecksum(of: bytes.count)
      sum.add(bytes)
      return sum.finished
    }
  }

  private static func foreign(_ path: String) -> CorpusError {
    CorpusError(
      .badTeacher, "\(path) is not a whole file of “foretop teach”: write one with “foretop teach”")
  }

  private static func damaged(_ path: String) -> CorpusError {
    CorpusError(.badTeacher, "\(path) is damaged: write it again with “foretop teach”")
  }
}

extension Tokenizer {
  /// SHA-256 of the kind and the model, hexadecimal: equal for tokenizers that give the same tokens.
  package var fingerprint: String {
    var digest = Digest()
    digest.add(field: kind.rawValue)
    digest.add(field: model)
    digest.add(number: vocabulary)
    return hexadecimal(digest.finished())
  }
}
