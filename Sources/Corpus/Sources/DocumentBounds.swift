// Documents: each file is at least one document, and a separator divides a file into several.
import Foundation
import Run

/// The rule that divides texts into documents.
package struct DocumentBounds: Sendable, Equatable {
  /// `data.separator`, UTF-8: the text that ends a document. The separator stays a part of its document, so that no
  /// byte of the text is lost and a network learns where documents end. If empty, each file is one document.
  let separator: [UInt8]

  package init(separator: String) { self.separator = Array(separator.utf8) }

  /// The ranges of a file's documents, which are not empty and cover the file.
  func ranges(of bytes: UnsafeRawBufferPointer) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var start = 0
    var index = 0
    while !separator.isEmpty, let found = bytes[index...].firstIndex(of: separator[0]) {
      index = found
      // A blank line may be several: what repeats the separator belongs to it.
      while isSeparator(bytes, at: index) { index += separator.count }
      if index > found {
        ranges.append(start..<index)
        start = index
      } else {
        index += 1
      }
    }
    if start < bytes.count { ranges.append(start..<bytes.count) }
    return ranges
  }

  /// Where the last document begins of whose separator before it nothing can follow any more; nil where there is only one.
  func lastEnd(in bytes: UnsafeRawBufferPointer) -> Int? {
    ranges(of: bytes).last { $0.lowerBound > 0 && $0.lowerBound + separator.count <= bytes.count }?.lowerBound
  }

  private func isSeparator(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Bool {
    index + separator.count <= bytes.count
      && separator.withUnsafeBytes { memcmp(bytes.baseAddress! + index, $0.baseAddress!, $0.count) == 0 }
  }

  /// The tokens of a text, where each document is tokenized separately, and the places where documents begin among the
  /// tokens.
  /// - Parameters:
  ///   - ends: where documents end, if that is known.
  ///   - threads: how many work on them.
  func tokens(
    of bytes: [UInt8], endedAt ends: [Int]? = nil, by tokenizer: Tokenizer, threads: Int = Processors.helpers
  ) -> (tokens: [Int32], starts: [Int]) {
    bytes.withUnsafeBytes { bytes in
      let ranges = ends.map { zip([0] + $0, $0).map { $0..<$1 } } ?? ranges(of: bytes)
      let parts = WorkerThread.map(ranges.count, most: threads) { index in
        // A document among many is not divided once more.
        tokenizer.tokens(
          of: UnsafeRawBufferPointer(rebasing: bytes[ranges[index]]), threads: ranges.count > 1 ? 1 : threads)
      }
      var tokens: [Int32] = []
      var starts: [Int] = []
      tokens.reserveCapacity(parts.reduce(0) { $0 + $1.count })
      for part in parts where !part.isEmpty {
        starts.append(tokens.count)
        tokens += part
      }
      return (tokens, starts)
    }
  }
}
