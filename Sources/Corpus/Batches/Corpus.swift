// An open corpus: files, tokenizer and tokens, divided into a training part and a held-out part.
import Foundation
import Run

/// Text that a network is trained on, as tokens.
package struct Corpus: Sendable {
  package let tokenizer: Tokenizer
  /// The tokens before the held-out ones.
  package let training: TokenRange
  /// The held-out tokens: the last `heldOut` of all tokens, at least one window; empty if `heldOut` is 0.
  package let heldOut: TokenRange
  /// Bytes of all files.
  package let bytes: Int
  /// Number of files.
  package let files: Int
  /// Number of documents of the whole text: one that the held-out part begins within counts once.
  package let documents: Int
  /// −Σ p ln p over the tokens of the training part, in nats: the loss of a model that knows only frequencies.
  package let unigramEntropy: Double
  /// How often each token of the vocabulary comes in the training part; empty for star graphs.
  package let frequencies: [Int]
  /// What is known of the training part's documents; nil where they are taken as the text has them.
  package let related: RelatedDocuments?
  /// Notices for the user: files that were left out, byte order marks that were removed, a cache that cannot be
  /// written.
  package let notices: [String]
  /// One line: `kjv.txt · 4.1 MB · 1.0 M tokens · sentencepiece 4096`.
  package let summary: String

  /// Opens a corpus. Trains a tokenizer and tokenizes the text if the cache lacks these.
  /// - Parameters:
  ///   - tokenizer: a checkpoint's tokenizer; nil uses the one that `source` describes.
  ///   - report: receives a sentence without a full stop before each long operation.
  ///   - progress: receives how much of how much is done, of reading texts, of the tokenizer and of the tokens. Threads call it, one at
  ///     a time.
  /// - Throws: `CorpusError`: a file that is missing, unreadable or empty, a text that is too short or does not suit
  ///   the tokenizer, a damaged model.
  package init(
    opening source: Source, tokenizer restored: Tokenizer? = nil, report: (String) -> Void = { _ in },
    progress: (SetupWork, Int, Int) -> Void = { _, _, _ in }
  ) throws(CorpusError) {
    guard source.heldOut >= 0 && source.heldOut < 1 else {
      throw CorpusError(.usage, "data.heldOut is \(source.heldOut); it must be at least 0 and below 1")
    }
    guard source.context > 0 else {
      throw CorpusError(.usage, "model.context is \(source.context); it must be at least 1")
    }
    var opened: Opened
    if let graphs = source.graphs {
      opened = try Self.open(graphs, context: source.context, restored)
    } else if source.kind == .tokens {
      opened = try Self.open(tokenFiles: source, tokenizer: restored, report)
    } else {
      opened = try Self.open(texts: source, restored, report, progress)
    }
    let cache = Cache(folder: source.cache, spare: source.spareCache)
    related = try Self.arrange(&opened, source, cache, report)
    tokenizer = opened.tokenizer
    training = opened.training
    heldOut = opened.heldOut
    bytes = opened.bytes
    files = opened.files
    documents = opened.documents
    unigramEntropy = opened.entropy
    let counts = opened.counts.prefix(opened.tokenizer.vocabulary)
    frequencies =
      counts.isEmpty ? [] : counts + [Int](repeating: 0, count: opened.tokenizer.vocabulary - counts.count)
    notices = opened.notices.map(\.showingFileNames)
    if let graphs = source.graphs {
      summary = Self.summary(of: graphs)
      return
    }
    var documents = source.documents == nil ? [] : ["\(quantity(opened.documents)) documents"]
    if let related, related.kept.count < related.count {
      documents.append("\(quantity(related.count - related.kept.count)) left out as duplicates")
    }
    if source.order != .text { documents.append("\(source.order.rawValue) order") }
    let tokens = training.count + heldOut.count
    summary =
      ([Self.name(of: source.paths, files: files), "\(quantity(bytes, spaced: false))B", "\(quantity(tokens)) tokens"]
      + documents + [tokenizer.summary]).joined(separator: " · ")
  }

  /// The result of opening texts or token files.
  struct Opened {
    var tokenizer: Tokenizer
    var training, heldOut: TokenRange
    var bytes, files, documents: Int
    /// Unigram entropy of the training part's tokens, in nats.
    var entropy: Double
    /// The frequency of each token in the training part, as far as there are tokens; empty for star graphs.
    var counts: [Int]
    var notices: [String]
  }

  private static func open(
    texts source: Source, _ restored: Tokenizer?, _ report: (String) -> Void,
    _ progress: (SetupWork, Int, Int) -> Void
  ) throws(CorpusError) -> Opened {
    let cache = Cache(folder: source.cache, spare: source.spareCache)
    let texts = try cache.texts(at: source.paths) { progress(.texts, $0, $1) }
    let tokenizer: Tokenizer
    if let restored {
      tokenizer = restored
    } else {
      tokenizer = try cache.tokenizer(for: texts, source, report) {
        progress(.texts, $0, texts.size)
      } pieces: {
        progress(.tokenizer, $0, $1)
      }
    }
    let name = Self.name(of: source.paths, files: texts.files.count)
    let (all, census) = try cache.tokens(
      of: texts, by: tokenizer, in: source.documents, before: { (try? Self.boundary(of: $0, source, name)) ?? 0 },
      report, progress: { progress(.tokens, $0, texts.size) })
    let boundary = try Self.boundary(of: all.count, source, name)
    return Opened(
      tokenizer: tokenizer, training: all.part(0..<boundary), heldOut: all.part(boundary..<all.count),
      bytes: texts.size, files: texts.files.count, documents: all.documents, entropy: census.entropy,
      counts: census.counts, notices: texts.notices + (cache.notice.map { [$0] } ?? []))
  }

  /// Reads files and folders as one text, for evaluation by a tokenizer. Nothing is cached.
  /// - Parameters:
  ///   - documents: how the texts are divided into documents; nil treats all as one text.
  ///   - notice: receives notices of files that were left out and byte order marks that were removed.
  /// - Throws: `CorpusError` missing, unreadable, empty or badText.
  package static func tokens(
    at paths: [String], by tokenizer: Tokenizer, in documents: DocumentBounds? = nil,
    notice: (String) -> Void = { _ in }
  ) throws(CorpusError) -> TokenRange {
    let texts = try TextFiles(at: paths)
    for line in texts.notices { notice(line.showingFileNames) }
    return try tokens(of: texts, by: tokenizer, in: documents)
  }

  static func tokens(
    of texts: TextFiles, by tokenizer: Tokenizer, in documents: DocumentBounds?
  ) throws(CorpusError) -> TokenRange {
    var tokens: [Int32] = []
    var starts: [Int] = []
    try texts.forEach(by: tokenizer, in: documents) { part in
      starts += part.starts.map { tokens.count + $0 }
      tokens += part.tokens
    }
    return TokenRange(tokens, documents: documents == nil ? nil : starts)
  }

  /// The end of the advice where a text is too short for its windows.
  private static func orContext(_ most: Int) -> String { most > 1 ? ", or set model.context to \(most) or less" : "" }

  /// How many of `count` tokens belong to the training part.
  static func boundary(of count: Int, _ source: Source, _ name: String) throws(CorpusError) -> Int {
    let context = source.context
    guard source.heldOut > 0 else {
      guard count >= context else {
        throw CorpusError(
          .tooShort,
          """
          \(name) has \(count) tokens, but a window needs \(context); give more text in data.paths\(orContext(count))
          """)
      }
      return count
    }
    guard count >= 2 * context else {
      throw CorpusError(
        .tooShort,
        """
        \(name) has \(count) tokens, but \(2 * context) are needed: a window of \(context) to train on and one held out; \
        give more text in data.paths\(orContext(count / 2))
        """)
    }
    let boundary = count - max(Int(source.heldOut * Double(count)), context)
    guard boundary >= context else {
      throw CorpusError(
        .tooShort,
        """
        \(name) has \(count) tokens, of which data.heldOut \(source.heldOut) leaves \(boundary) to train on, and a window \
        needs \(context); set data.heldOut lower, or give more text in data.paths
        """)
    }
    return boundary
  }

  static func name(of paths: [String], files: Int) -> String {
    let first = Visible.text(Array(((paths.first ?? "") as NSString).lastPathComponent.showingFileNames.utf8))
    if paths.count > 1 { return "\(first) and \(paths.count - 1) more" }
    return files > 1 ? "\(first) (\(files) files)" : first
  }
}

/// A number in at most three digits and a unit: `987`, `4.1 k`, `1.0 M`, `12 G`.
/// - Parameter spaced: if false, a number without a unit ends with a space, so that another unit can follow.
func quantity(_ number: Int, spaced: Bool = true) -> String {
  guard number >= 1000 else { return spaced ? "\(number)" : "\(number) " }
  var (scale, unit) = (1000, "k")
  for larger in ["M", "G", "T"] where 2 * number >= 1999 * scale { (scale, unit) = (1000 * scale, larger) }
  let tenths = (10 * number + scale / 2) / scale
  return tenths < 100 ? "\(tenths / 10).\(tenths % 10) \(unit)" : "\((number + scale / 2) / scale) \(unit)"
}
