// Tokens that somebody else made: nanoGPT's and llm.c's files, mapped, so that what is not read takes no memory.
import Foundation

/// A file of token numbers, little-endian: 16 bits each and nothing else (nanoGPT), or behind llm.c's header of 256 words of
/// 32 bits: what it is, version, number of tokens.
///
/// | first word | version | tokens |
/// | --- | --- | --- |
/// | 20240520 | 1 | 16 bits (GPT-2) |
/// | 20240801 | 7 | 32 bits (Llama 3) |
final class TokenFile: @unchecked Sendable {
  // Unchecked: the mapping is only read.

  let path: String
  /// Bytes of a token: 2 or 4.
  let width: Int
  /// Number of tokens.
  let count: Int
  /// Bytes of the file.
  let size: Int
  private let mapping: UnsafeMutableRawPointer
  private let tokens: UnsafeRawPointer

  private static let headerSize = 1024

  /// - Throws: `CorpusError` with the path, where a file is missing or none of these.
  init(at path: String) throws(CorpusError) {
    // Without waiting for whoever writes to a pipe.
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else {
      let reason = errno
      throw CorpusError(
        reason == ENOENT ? .missing : .unreadable, "\(path) cannot be read: \(TextFiles.text(of: reason))")
    }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw CorpusError(.unreadable, "\(path) is no file of token numbers, but a folder, a device or a pipe")
    }
    let size = Int(status.st_size)
    guard size > 0 else { throw CorpusError(.empty, "\(path) is empty; name a file with tokens in it") }
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, file, 0), start != MAP_FAILED else {
      throw CorpusError(.unreadable, "\(path) cannot be mapped: \(TextFiles.text(of: errno))")
    }
    do throws(CorpusError) {
      let format = try Self.format(UnsafeRawBufferPointer(start: start, count: size), path)
      (width, count) = (format.width, format.count)
      tokens = UnsafeRawPointer(start) + format.header
    } catch {
      munmap(start, size)
      throw error
    }
    mapping = start
    self.path = path
    self.size = size
  }

  deinit { munmap(mapping, size) }

  private static func format(
    _ bytes: UnsafeRawBufferPointer, _ path: String
  ) throws(CorpusError) -> (width: Int, count: Int, header: Int) {
    // A pickle is a program: protocols 2 to 5 begin like this.
    if path.hasSuffix(".pkl")
      || (bytes.count > 1 && bytes[0] == 0x80 && (2...5).contains(bytes[1]) && bytes.last == 0x2E)
    {
      throw CorpusError(
        .badText,
        """
        \(path) is a pickle, which runs as a program when it is read: it is not opened; name files of tokens in data.paths, \
        and the number of tokens there are in tokenizer.ids
        """)
    }
    func word(_ index: Int) -> Int { Int(bytes.loadUnaligned(fromByteOffset: index * 4, as: Int32.self)) }
    let known = [20_240_520: (version: 1, width: 2), 20_240_801: (version: 7, width: 4)]
    if bytes.count >= 4, let format = known[word(0)] {
      guard bytes.count >= headerSize else {
        throw CorpusError(.badText, "\(path) is cut short: llm.c's header alone has \(headerSize) bytes")
      }
      guard word(1) == format.version else {
        throw CorpusError(
          .badText,
          "\(path) has version \(word(1)) of llm.c's format \(word(0)), and foretop reads version \(format.version)")
      }
      let count = word(2)
      guard count > 0, bytes.count == headerSize + count * format.width else {
        throw CorpusError(
          .badText,
          """
          \(path) is damaged or cut short: its header says \(count) tokens, and behind it are \
          \(bytes.count - headerSize) bytes, \(format.width) a token
          """)
      }
      return (format.width, count, headerSize)
    }
    guard bytes.count % 2 == 0 else {
      throw CorpusError(
        .badText,
        "\(path) has \(bytes.count) bytes, an odd number, and a file of nanoGPT has two a token: it is none, or cut short"
      )
    }
    return (2, bytes.count / 2, 0)
  }

  /// Copies tokens; one that is not below `vocabulary`, which can only be since the file was changed after it was
  /// examined, becomes −1: no token.
  func copy(_ stretch: Range<Int>, to destination: UnsafeMutablePointer<Int32>, below vocabulary: Int32) {
    each(stretch) { index, token in
      destination[index] = token < UInt32(vocabulary) ? Int32(bitPattern: token) : -1
    }
  }

  /// The largest token, and where it stands first.
  var largest: (token: UInt32, place: Int) {
    var (largest, place) = (UInt32(0), 0)
    each(0..<count) { index, token in if token > largest { (largest, place) = (token, index) } }
    return (largest, place)
  }

  /// Where documents begin, when a token ends each: at 0 and behind every run of it.
  func starts(endedBy end: Int32?) -> [Int] {
    var starts = [0]
    guard let end else { return starts }
    var wasEnd = false
    each(0..<count) { index, token in
      let isEnd = token == UInt32(bitPattern: end)
      if wasEnd && !isEnd { starts.append(index) }
      wasEnd = isEnd
    }
    return starts
  }

  @inline(__always)
  private func each(_ stretch: Range<Int>, _ body: (_ index: Int, _ token: UInt32) -> Void) {
    if width == 2 {
      let first = tokens.assumingMemoryBound(to: UInt16.self) + stretch.lowerBound
      for index in 0..<stretch.count { body(index, UInt32(first[index])) }
    } else {
      let first = tokens.assumingMemoryBound(to: UInt32.self) + stretch.lowerBound
      for index in 0..<stretch.count { body(index, first[index]) }
    }
  }
}

/// Files of tokens, one behind the other.
struct TokenFiles: Sendable {
  let files: [TokenFile]
  /// Where each begins, and one more entry for the end of the last.
  let ends: [Int]
  /// Tokens are below this.
  let vocabulary: Int

  /// - Throws: `CorpusError` where a token is not below `vocabulary`, with its place.
  init(_ files: [TokenFile], vocabulary: Int) throws(CorpusError) {
    for file in files {
      let (token, place) = file.largest
      guard token < vocabulary else {
        throw CorpusError(
          .badText,
          """
          \(file.path) has token \(token) at place \(place), and the vocabulary has \(vocabulary): set tokenizer.ids to \
          0 or to \(Int(token) + 1) or more, or name the tokenizer that made the file
          """)
      }
    }
    self.files = files
    self.vocabulary = vocabulary
    ends = files.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
  }

  var count: Int { ends[ends.count - 1] }

  /// Where documents begin: with every file, and behind the token that ends one.
  func starts(endedBy end: Int32?) -> [Int] {
    zip(files, ends).flatMap { file, first in file.starts(endedBy: end).map { first + $0 } }
  }

  func copy(_ stretch: Range<Int>, to destination: UnsafeMutablePointer<Int32>) {
    for (index, file) in files.enumerated() {
      let shared = stretch.clamped(to: ends[index]..<ends[index + 1])
      if shared.isEmpty { continue }
      file.copy(
        shared.lowerBound - ends[index]..<shared.upperBound - ends[index],
        to: destination + (shared.lowerBound - stretch.lowerBound), below: Int32(vocabulary))
    }
  }
}
