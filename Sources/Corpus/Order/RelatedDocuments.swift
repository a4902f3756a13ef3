// The documents of a training part: which repeat others, which are alike, and the order in which a recipe takes them.
import Foundation
import Run

/// What is known of a training part's documents, numbered from 0 in the order of the text.
package struct RelatedDocuments: Sendable {
  /// The training part in the order of the text.
  let part: TokenRange
  /// The tokens of each document.
  let ranges: [Range<Int>]
  /// For each document the earlier one that it repeats, or −1; empty where duplicates are not looked for.
  let originals: [Int32]
  /// The neighbours of the kept documents, numbered among these; nil where the order does not need them.
  let neighbours: DocumentNeighbours?
  /// The documents that are kept, in the order of the text.
  let kept: [Int32]

  /// Number of documents, those that repeat others included.
  package var count: Int { ranges.count }

  /// What a document is like.
  package enum DocumentLikeness: Sendable {
    /// It is left out, since it repeats an earlier one.
    case duplicate(of: Int)
    /// The nearest documents, most similar first, with the cosines of their TF-IDF vectors.
    case neighbours([(document: Int, cosine: Float)])
  }

  /// - Returns: nil where neighbours were not looked for.
  package func likeness(of document: Int) -> DocumentLikeness? {
    precondition(ranges.indices.contains(document), "there are \(count) documents, from 0 on")
    if !originals.isEmpty, originals[document] >= 0 { return .duplicate(of: Int(originals[document])) }
    guard let neighbours, let place = kept.firstIndex(of: Int32(document)) else { return nil }
    return .neighbours(neighbours[place].map { (Int(kept[$0.document]), $0.cosine) })
  }

  /// The first tokens of a document.
  /// - Throws: `CorpusError` where the text cannot be read.
  package func beginning(of document: Int, tokens: Int) throws(CorpusError) -> [Int32] {
    try part.tokens(ranges[document].prefix(tokens))
  }
}

extension Corpus {
  /// Puts the training part's documents in the order that a source asks for, without those that repeat others.
  /// - Returns: what is known of the documents; nil for text in its own order.
  static func arrange(
    _ opened: inout Opened, _ source: Source, _ cache: Cache, _ report: (String) -> Void
  ) throws(CorpusError) -> RelatedDocuments? {
    guard source.ordersDocuments else { return nil }
    let part = opened.training
    let ranges = part.documentRanges
    guard ranges.count > 1 else {
      throw CorpusError(
        .usage,
        "data.order and data.deduplicate arrange documents, but the training part is a single document: set data.separator to the "
          + "text between documents (blank lines are \"\\n\\n\" in a recipe, and --set data.separator=$'\\n\\n' in a shell), or "
          + "name several files in data.paths")
    }
    let key = try Self.digest(of: part, ranges)
    var originals: [Int32] = []
    if source.deduplicates {
      originals = try cache.numbers(key, "duplicates", NearDuplicates.version, count: ranges.count) {
        () throws(CorpusError) in
        report("looking for near duplicates among \(quantity(ranges.count)) documents")
        return try NearDuplicates.find(in: part, ranges)
      }
    }
    let kept = ranges.indices.filter { originals.isEmpty || originals[$0] < 0 }.map { Int32($0) }
    let keptRanges = kept.map { ranges[Int($0)] }
    var neighbours: DocumentNeighbours?
    var order = kept
    switch source.order {
    case .text: break
    case .random:
      let permutation = Permutation(count: kept.count, seed: mixed(source.seed ^ 0x6F72_6465_72), pass: 0)
      order = kept.indices.map { kept[permutation[$0]] }
    case .related:
      let found = try Self.neighbours(of: part, keptRanges, opened.tokenizer.vocabulary, key, source, cache, report)
      order = RelatedWalk.order(by: found).map { kept[Int($0)] }
      neighbours = found
      // With letters as tokens, nearly every token is in nearly every document.
      let alone = kept.indices.count { found[$0].isEmpty }
      if 2 * alone > kept.count {
        opened.notices.append(
          "data.order related: \(quantity(alone)) of \(quantity(kept.count)) documents have no term in common with another one, "
            + "and come first, in the order of the text; a term is a token that at most 5 % of the documents "
            + "have (or 10 of them): a larger vocabulary has more terms")
      }
    }
    let pieces = TokenPieces(of: part, order.map { ranges[Int($0)] })
    guard pieces.count >= source.context else {
      throw CorpusError(
        .tooShort,
        "without near duplicates the training part has \(pieces.count) tokens, fewer than a window of "
          + "\(source.context): set data.deduplicate to false, or give more text")
    }
    opened.training = TokenRange(pieces)
    try opened.leaveOut(ranges.indices.filter { !originals.isEmpty && originals[$0] >= 0 }.map { ranges[$0] }, of: part)
    if source.isPacked {
      opened.training = opened.training.withoutDocuments
      opened.heldOut = opened.heldOut.withoutDocuments
    }
    return RelatedDocuments(part: part, ranges: ranges, originals: originals, neighbours: neighbours, kept: kept)
  }

  private static func neighbours(
    of part: TokenRange, _ documents: [Range<Int>], _ vocabulary: Int, _ key: [UInt8], _ source: Source,
    _ cache: Cache, _ report: (String) -> Void
  ) throws(CorpusError) -> DocumentNeighbours {
    let most = DocumentNeighbours.most
    let version = DocumentNeighbours.version + (source.deduplicates ? 1000 * NearDuplicates.version : 0)
    let numbers = try cache.numbers(key, "neighbours", version, count: 2 * most * documents.count) {
      () throws(CorpusError) in
      report("looking for the neighbours of \(quantity(documents.count)) documents")
      let found = DocumentNeighbours(of: try DocumentTerms(of: part, documents, vocabulary: vocabulary))
      return found.documents + found.cosines.map { Int32(bitPattern: $0.bitPattern) }
    }
    return DocumentNeighbours(
      documents: Array(numbers[..<(most * documents.count)]),
      cosines: numbers[(most * documents.count)...].map { Float(bitPattern: UInt32(bitPattern: $0)) })
  }

  /// The SHA-256 of a part's tokens and of where its documents are.
  private static func digest(of part: TokenRange, _ documents: [Range<Int>]) throws(CorpusError) -> [UInt8] {
    var digest = Digest()
    digest.add(number: part.count)
    for range in documents { digest.add(number: range.lowerBound) }
    for first in stride(from: 0, to: part.count, by: 1 << 20) {
      let tokens = try part.tokens(first..<min(first + 1 << 20, part.count))
      tokens.withUnsafeBytes { digest.add($0) }
    }
    return digest.finished()
  }
}

extension Corpus.Opened {
  /// Counts the training part's tokens without those of stretches of it.
  fileprivate mutating func leaveOut(_ stretches: [Range<Int>], of part: TokenRange) throws(CorpusError) {
    guard !stretches.isEmpty else { return }
    for stretch in stretches { for token in try part.tokens(stretch) { counts[Int(token)] -= 1 } }
    entropy = TokenCensus.entropy(of: counts)
  }
}

extension Cache {
  /// Numbers that follow from a text: from the cache, or made and kept there.
  /// - Parameters:
  ///   - name: what they are, the file's ending.
  ///   - version: of how they are made.
  ///   - count: how many there are.
  func numbers(
    _ text: [UInt8], _ name: String, _ version: Int, count: Int, make: () throws(CorpusError) -> [Int32]
  ) throws(CorpusError) -> [Int32] {
    var digest = Digest()
    digest.add(field: name)
    digest.add(number: version)
    digest.add(field: text)
    let key = digest.finished()
    if let file = file(key, name), file.width == 4, file.count == count, let bytes = try? file.elements() {
      return bytes.withUnsafeBytes { Array($0.bindMemory(to: Int32.self)) }
    }
    let numbers = try make()
    precondition(numbers.count == count, "\(numbers.count) numbers were made of \(count)")
    _ = try keep(key, name, width: 4) { append, _ throws(CorpusError) in
      try numbers.withUnsafeBufferPointer { elements throws(CorpusError) in
        try append(UnsafeRawBufferPointer(elements))
      }
    }
    return numbers
  }
}
