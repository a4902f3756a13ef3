// Fast tokenization of long text: cuts where that does not change the tokens, encodes every distinct word once, and
// uses all cores.
import Foundation
import Run

/// Iterates over the words of a block of text.
protocol WordScanner {
  /// The end of the word that starts at `start`: greater than `start`, and at most the end of the block.
  mutating func end(ofWordAt start: Int) -> Int
}

/// A tokenizer that splits text into words, where a word's tokens do not depend on its neighbours.
protocol WordEncoder: AnyObject, Sendable {
  associatedtype Scanner: WordScanner
  func scanner(of bytes: UnsafeRawBufferPointer, in block: Range<Int>) -> Scanner
  /// True if the text before `index` and the text from `index` on can be tokenized separately with the same result.
  func mayCut(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Bool
  /// Encodes the bytes of one word.
  /// - Parameter isStart: whether the word is the first of a text.
  func encode(word bytes: Slice<UnsafeRawBufferPointer>, isStart: Bool, into tokens: inout [Int32])
}

extension WordEncoder {
  /// The tokens of arbitrary bytes.
  /// - Parameters:
  ///   - continuing: whether other bytes of the same text came before these.
  ///   - threads: how many work on it.
  func tokensByWords(of bytes: UnsafeRawBufferPointer, continuing: Bool, threads: Int) -> [Int32] {
    let blocks = blocks(of: bytes, for: threads)
    guard blocks.count > 1 else {
      return blocks.first.map { tokens(ofBlock: $0, of: bytes, continuing: continuing) } ?? []
    }

    let parts = WorkerThread.map(blocks.count, most: threads) { index in
      tokens(ofBlock: blocks[index], of: bytes, continuing: continuing)
    }
    return Array(parts.joined())
  }

  /// The first place after `start` where text may be cut; `end` if there is none before.
  func nextCut(_ bytes: UnsafeRawBufferPointer, after start: Int, before end: Int) -> Int {
    var index = start + 1
    while index < end, !mayCut(bytes, at: index) { index += 1 }
    return min(index, end)
  }

  /// Divides text into parts to encode in parallel: one per thread, if the text is long enough.
  private func blocks(of bytes: UnsafeRawBufferPointer, for threads: Int) -> [Range<Int>] {
    let size = max(1 << 16, bytes.count / threads + 1)
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
    /// The range of each word's tokens in `known`.
    var words: [Word: Range<Int>] = [:]
    var known: [Int32] = []
    var scanner = scanner(of: bytes, in: block)
    var start = block.lowerBound
    while start < block.upperBound {
      let end = scanner.end(ofWordAt: start)
      let word = Word(bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
      let isStart = start == 0 && !continuing
      if isStart || word.bytes.count > Word.longest {
        encode(word: bytes[start..<end], isStart: isStart, into: &tokens)
      } else if let range = words[word] {
        tokens.append(contentsOf: known[range])
      } else {
        if words.count == Word.mostKnown {
          words.removeAll(keepingCapacity: true)
          known.removeAll(keepingCapacity: true)
        }
        let first = known.count
        encode(word: bytes[start..<end], isStart: false, into: &known)
        words[word] = first..<known.count
        tokens.append(contentsOf: known[first...])
      }
      start = end
    }
    return tokens
  }
}

/// A word as a dictionary key, by reference to a text that outlives the key.
struct Word: Hashable {
  /// Longer words rarely occur twice and are not remembered.
  static let longest = 64
  /// Bounds the memory that a block takes.
  static let mostKnown = 1 << 18

  let bytes: UnsafeRawBufferPointer

  static func == (a: Word, b: Word) -> Bool {
    a.bytes.count == b.bytes.count && memcmp(a.bytes.baseAddress!, b.bytes.baseAddress!, a.bytes.count) == 0
  }

  func hash(into hasher: inout Hasher) { hasher.combine(bytes: bytes) }
}
