// Token files made by other programs: nanoGPT's and llm.c's files and plain arrays of integers. Only the needed parts
// are read.
import Foundation

/// A file of token numbers, little-endian: 16 bits each without a header (nanoGPT), 32 or 64 bits each if
/// `tokenizer.width` says so, or after llm.c's header of 256 words of 32 bits: magic number, version, number of tokens.
///
/// | first word | version | tokens |
/// | --- | --- | --- |
/// | 20240520 | 1 | 16 bits (GPT-2) |
/// | 20240801 | 7 | 32 bits (Llama 3) |
final class TokenFile: Sendable {
  /// Bytes of a token: 2, 4 or 8.
  let width: Int
  /// Number of tokens.
  let count: Int
  private let file: WatchedFile
  /// The place of the first token in the file.
  private let start: Int

  var path: String { file.path }
  /// Bytes of the file.
  var size: Int { file.size }
  /// The state of the file when it was opened.
  var stamp: FileStamp { file.stamp }

  /// - Parameter width: `tokenizer.width`: bytes per token of a file without a header; nil takes 2, and refuses a file
  ///   that looks like wider integers.
  /// - Throws: `CorpusError` with the path, when a file is missing or not a token file.
  init(at path: String, width: Int? = nil) throws(CorpusError) {
    file = try WatchedFile(at: path)
    guard file.size > 0 else { throw CorpusError(.empty, "\(path) is empty; name a file with tokens in it") }
    let format = try TokenFormat(of: file, width: width)
    (self.width, count, start) = (format.width, format.count, format.start)
  }

  /// The tokens of a cache file, which were validated when it was opened.
  init(_ cache: CacheFile) {
    precondition(cache.width > 1, "a token file has 2 or 4 bytes a token")
    (file, width, count, start) = (cache.file, cache.width, cache.count, CacheFile.headerSize)
  }

  /// Copies tokens.
  /// - Throws: `CorpusError` unreadable; or changed, if the file has changed since it was examined, or has a token that
  ///   is not below `vocabulary`.
  func copy(
    _ stretch: Range<Int>, to destination: UnsafeMutablePointer<Int32>, below vocabulary: Int
  ) throws(CorpusError) {
    try load(stretch, into: UnsafeMutableRawPointer(destination).assumingMemoryBound(to: UInt32.self))
    try file.check()
    var most: UInt32 = 0
    for index in 0..<stretch.count { most = max(most, UInt32(bitPattern: destination[index])) }
    guard most < vocabulary else {
      let index = (0..<stretch.count).first { UInt32(bitPattern: destination[$0]) == most } ?? 0
      throw strange(UInt64(most), at: stretch.lowerBound + index, vocabulary)
    }
  }

  /// Reads tokens without extra memory; a 64-bit token that does not fit into 32 bits becomes the largest value.
  private func load(_ stretch: Range<Int>, into tokens: UnsafeMutablePointer<UInt32>) throws(CorpusError) {
    let (count, offset) = (stretch.count, start + stretch.lowerBound * width)
    switch width {
    case 2:
      // Behind the room, so that widening from the front overtakes nothing.
      let words = UnsafeMutableRawPointer(tokens) + 2 * count
      try file.read(from: offset, into: UnsafeMutableRawBufferPointer(start: words, count: 2 * count))
      for index in 0..<count { tokens[index] = UInt32(words.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)) }
    case 4: try file.read(from: offset, into: UnsafeMutableRawBufferPointer(start: tokens, count: 4 * count))
    default:
      var done = 0
      while done < count {
        // As many as the rest of the room holds as they are in the file: half of the rest, and the last one alone.
        let some = max(1, (count - done) / 2)
        let place = offset + 8 * done
        if some == 1 {
          var word: UInt64 = 0
          try withUnsafeMutablePointer(to: &word) { room throws(CorpusError) in
            try file.read(from: place, into: UnsafeMutableRawBufferPointer(start: room, count: 8))
          }
          tokens[done] = UInt32(clamping: word)
        } else {
          let words = UnsafeMutableRawPointer(tokens + done)
          try file.read(from: place, into: UnsafeMutableRawBufferPointer(start: words, count: 8 * some))
          for index in 0..<some {
            tokens[done + index] = UInt32(clamping: words.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
          }
        }
        done += some
      }
    }
  }

  /// Counts all tokens.
  func survey(_ census: inout TokenCensus) throws(CorpusError) {
    census.beginFile()
    try file.forEachPiece(from: start) { census.add($0, width: width) }
  }

  /// The error for a token that is not below the vocabulary.
  func strange(_ token: UInt64, at place: Int, _ vocabulary: Int) -> CorpusError {
    guard token < TokenCensus.limit else {
      return CorpusError(
        .badText,
        "\(path) has token \(token) at place \(place), larger than any vocabulary: this is not a token file"
          + (width == 2 ? "" : " of \(width) bytes each (tokenizer.width)"))
    }
    return CorpusError(
      .badText,
      """
      \(path) has token \(token) at place \(place), and the vocabulary has \(vocabulary): set tokenizer.ids to 0 or to \
      \(token + 1) or more, or name the tokenizer that made the file
      """)
  }
}

/// Several token files, concatenated.
struct TokenFiles: Sendable {
  let files: [TokenFile]
  /// The place where each file begins, and one more entry for the end of the last.
  let ends: [Int]
  /// Vocabulary size: a later reading that finds a larger token is an error.
  let vocabulary: Int

  init(_ files: [TokenFile], vocabulary: Int) {
    self.files = files
    self.vocabulary = vocabulary
    ends = files.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
  }

  var count: Int { ends[ends.count - 1] }

  /// - Throws: `CorpusError` with file and place, when a counted token is not below the vocabulary size.
  func check(_ census: TokenCensus) throws(CorpusError) {
    guard let (token, place) = census.largest, token >= vocabulary, let index = ends.firstIndex(where: { $0 > place })
    else { return }
    throw files[index - 1].strange(token, at: place - ends[index - 1], vocabulary)
  }

  func copy(_ stretch: Range<Int>, to destination: UnsafeMutablePointer<Int32>) throws(CorpusError) {
    for (index, file) in files.enumerated() {
      let shared = stretch.clamped(to: ends[index]..<ends[index + 1])
      if shared.isEmpty { continue }
      try file.copy(
        shared.lowerBound - ends[index]..<shared.upperBound - ends[index],
        to: destination + (shared.lowerBound - stretch.lowerBound), below: vocabulary)
    }
  }
}
