// Long text to pieces, fast: cut where cutting changes nothing, every distinct word encoded once, blocks on all cores.
import Foundation

extension SentencePieceModel {
  /// The tokens of bytes, which may be any.
  /// - Parameter continuing: whether other bytes of the same text came before these.
  func tokens(of bytes: UnsafeRawBufferPointer, continuing: Bool = false) -> [Int32] {
    guard !byteTokens.isEmpty else {
      var tokens: [Int32] = []
      encode(bytes[...], isStart: !continuing, into: &tokens)
      return tokens
    }
    let blocks = blocks(of: bytes)
    guard blocks.count > 1 else {
      return blocks.first.map { tokens(ofBlock: $0, of: bytes, continuing: continuing) } ?? []
    }

    var parts = [[Int32]](repeating: [], count: blocks.count)
    parts.withUnsafeMutableBufferPointer { parts in
      // Each block writes its own element, and all are done when `concurrentPerform` returns.
      nonisolated(unsafe) let (parts, bytes) = (parts, bytes)
      DispatchQueue.concurrentPerform(iterations: blocks.count) { index in
        parts[index] = tokens(ofBlock: blocks[index], of: bytes, continuing: continuing)
      }
    }
    return Array(parts.joined())
  }

  /// Whether the text before `index` and the text from it on make the tokens that both make together.
  private func mayCut(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Bool {
    let before = bytes[index - 1]
    switch cut {
    case .nowhere: return false
    case .lines: return before == UInt8(ascii: "\n")
    case .words:
      return before == UInt8(ascii: "\n")
        || (bytes[index] == UInt8(ascii: " ") && before != UInt8(ascii: " "))
    }
  }

  private func nextCut(_ bytes: UnsafeRawBufferPointer, after start: Int, before end: Int) -> Int {
    var index = start + 1
    while index < end, !mayCut(bytes, at: index) { index += 1 }
    return min(index, end)
  }

  /// Parts to be encoded side by side: one a core, where they are worth it.
  private func blocks(of bytes: UnsafeRawBufferPointer) -> [Range<Int>] {
    let size = max(1 << 16, bytes.count / ProcessInfo.processInfo.activeProcessorCount + 1)
    var blocks: [Range<Int>] = []
    var start = 0
    while start < bytes.count {
      let end = nextCut(bytes, after: min(start + size, bytes.count) - 1, before: bytes.count)
      blocks.append(start..<end)
      start = end
    }
    return blocks
  }

  private func tokens(
    ofBlock block: Range<Int>, of bytes: UnsafeRawBufferPointer, continuing: Bool
  ) -> [Int32] {
    var tokens: [Int32] = []
    tokens.reserveCapacity(block.count / 3)
    /// Where in `known` the tokens of each word are.
    var words: [Word: Range<Int>] = [:]
    var known: [Int32] = []
    var start = block.lowerBound
    while start < block.upperBound {
      let end = nextCut(bytes, after: start, before: block.upperBound)
      let word = Word(bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
      let isStart = start == 0 && !continuing
      if isStart || word.bytes.count > Word.longest {
        encodeSpans(bytes[start..<end], isStart: isStart, into: &tokens)
      } else if let range = words[word] {
        tokens.append(contentsOf: known[range])
      } else {
        if words.count == Word.mostKnown {
          words.removeAll(keepingCapacity: true)
          known.removeAll(keepingCapacity: true)
        }
        let first = known.count
        encodeSpans(bytes[start..<end], isStart: false, into: &known)
        words[word] = first..<known.count
        tokens.append(contentsOf: known[first...])
      }
      start = end
    }
    return tokens
  }

  /// The tokens of bytes that are not cut any further, but where they are no text: there bytes go through byte pieces.
  private func encodeSpans(_ bytes: Slice<UnsafeRawBufferPointer>, isStart: Bool, into tokens: inout [Int32]) {
    var start = bytes.startIndex
    var index = start
    while index < bytes.endIndex {
      let decoded = bytes.base.scalar(at: index)
      let end = index + decoded.length
      if decoded.value == nil || decoded.value == 0x2581 {
        encode(bytes[start..<index], isStart: isStart && start == bytes.startIndex, into: &tokens)
        tokens.append(contentsOf: bytes[index..<end].map { byteTokens[Int($0)] })
        start = end
      }
      index = end
    }
    encode(bytes[start..<index], isStart: isStart && start == bytes.startIndex, into: &tokens)
  }
}

/// A word of a text that outlives it, as a key.
struct Word: Hashable {
  /// Longer ones hardly come twice.
  static let longest = 64
  /// Bounds the memory that a block takes.
  static let mostKnown = 1 << 18

  let bytes: UnsafeRawBufferPointer

  static func == (a: Word, b: Word) -> Bool {
    a.bytes.count == b.bytes.count && memcmp(a.bytes.baseAddress!, b.bytes.baseAddress!, a.bytes.count) == 0
  }

  func hash(into hasher: inout Hasher) { hasher.combine(bytes: bytes) }
}
