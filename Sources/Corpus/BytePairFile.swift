// tokenizer.json of a byte-level BPE, as GPT-2, Llama 3, SmolLM and Qwen have it: the format of Hugging Face's tokenizers
// library. Read where it says what foretop does, and refused with the reason where it does not.
import Foundation

/// What such a file says.
package struct BytePairFile: Sendable {
  /// Two neighbours and what they become.
  package struct Merge: Sendable, Equatable {
    package let left, right, result: Int32
  }

  /// The bytes of every token; none for those that no text makes.
  package private(set) var tokens: [[UInt8]] = []
  /// The names of tokens that no text makes.
  package private(set) var specials: [Int32: [UInt8]] = [:]
  /// What comes first in the list is merged first.
  package private(set) var merges: [Merge] = []
  package let pattern: WordPattern
  /// Whether a word that is a token is that token, whatever the merges make of it.
  package let takesWholeWords: Bool

  /// The printable characters that byte-level tokenizers write for bytes: printable bytes stand for themselves, the others
  /// for U+0100 and up.
  package static let byteNames: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (UInt32(0)..<256).compactMap { byte in
      let isPrintable = (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte)
      defer { if !isPrintable { next += 1 } }
      return Unicode.Scalar(isPrintable ? byte : next)
    }
  }()

  private static let bytes = Dictionary(uniqueKeysWithValues: zip(byteNames, UInt8.min...UInt8.max))

  /// Reads a file's bytes.
  /// - Throws: `CorpusError.badTokenizer`: what is wrong with it, or what it wants that foretop does not do.
  package init(_ json: [UInt8]) throws(CorpusError) {
    let document: Document
    do {
      document = try JSONDecoder().decode(Document.self, from: Data(json))
    } catch {
      throw CorpusError(.badTokenizer, "these \(json.count) bytes are no tokenizer.json with a BPE, or a damaged one")
    }
    if let reason = document.whyNot { throw Self.refusal(reason) }
    guard let pattern = document.pattern else {
      throw Self.refusal("it cuts text into words in a way that is none of GPT-2's, SmolLM's, Llama 3's and Qwen's")
    }
    self.pattern = pattern
    takesWholeWords = document.model.takesWholeWords ?? false
    try readTokens(document)
    try readMerges(document.model)
  }

  /// Whether a file's first character is that of such a file; a SentencePiece model cannot begin with it.
  static func begins(_ bytes: some Sequence<UInt8>) -> Bool {
    bytes.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } == UInt8(ascii: "{")
  }

  private static func refusal(_ reason: String) -> CorpusError {
    CorpusError(.badTokenizer, "this tokenizer.json is none that foretop has: \(reason)")
  }

  private mutating func readTokens(_ document: Document) throws(CorpusError) {
    var names = [String?](repeating: nil, count: document.model.vocabulary.count + (document.added ?? []).count)
    for (name, id) in document.model.vocabulary {
      guard names.indices.contains(id), names[id] == nil else {
        throw Self.refusal("token \(id) is there twice, or there are numbers without a token")
      }
      names[id] = name
    }
    var isAdded = [Bool](repeating: false, count: names.count)
    for token in document.added ?? [] {
      guard names.indices.contains(token.id), names[token.id] == nil || names[token.id] == token.content else {
        throw Self.refusal("the added token \(token.id) has another's number")
      }
      names[token.id] = token.content
      isAdded[token.id] = true
    }
    names.removeLast(names.reversed().prefix { $0 == nil }.count)
    for (id, name) in names.enumerated() {
      guard let name else { throw Self.refusal("no token has the number \(id)") }
      let text = name.unicodeScalars.compactMap { Self.bytes[$0] }
      if isAdded[id] {
        specials[Int32(id)] = Array(name.utf8)
        tokens.append([])
      } else if text.count == name.unicodeScalars.count, !text.isEmpty {
        tokens.append(text)
      } else {
        throw Self.refusal("token \(id) is not written in GPT-2's characters for bytes")
      }
    }
  }

  private mutating func readMerges(_ model: Document.Model) throws(CorpusError) {
    var ids: [[UInt8]: Int32] = [:]
    for (id, token) in tokens.enumerated() where !token.isEmpty { ids[token] = Int32(id) }
    merges.reserveCapacity(model.merges.count)
    for (place, merge) in model.merges.enumerated() {
      let left = merge.left.unicodeScalars.compactMap { Self.bytes[$0] }
      let right = merge.right.unicodeScalars.compactMap { Self.bytes[$0] }
      guard let first = ids[left], let second = ids[right], let result = ids[left + right] else {
        throw Self.refusal("merge \(place) is of something that is no token, or becomes none")
      }
      merges.append(Merge(left: first, right: second, result: result))
    }
    guard let missing = (UInt8.min...UInt8.max).first(where: { ids[[$0]] == nil }) else { return }
    throw Self.refusal("it has no token for the byte \(missing)")
  }
}

// MARK: JSON

private struct Document: Decodable {
  struct Model: Decodable {
    let type: String?
    let vocabulary: [String: Int]
    let merges: [Pair]
    let dropout: Double?
    let prefix: String?
    let suffix: String?
    let takesWholeWords: Bool?

    enum CodingKeys: String, CodingKey {
      case type, merges, dropout
      case vocabulary = "vocab"
      case prefix = "continuing_subword_prefix"
      case suffix = "end_of_word_suffix"
      case takesWholeWords = "ignore_merges"
    }
  }

  /// `"a b"`, and in newer files `["a", "b"]`.
  struct Pair: Decodable {
    let left, right: String

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      let words =
        if let text = try? value.decode(String.self) {
          text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        } else { try value.decode([String].self) }
      guard words.count == 2 else {
        throw DecodingError.dataCorruptedError(in: value, debugDescription: "a merge of \(words.count)")
      }
      (left, right) = (words[0], words[1])
    }
  }

  struct Added: Decodable {
    let id: Int
    let content: String
  }

  /// Of a normalizer or a pre-tokenizer.
  struct Step: Decodable {
    struct Pattern: Decodable {
      let expression: String?
      enum CodingKeys: String, CodingKey { case expression = "Regex" }
    }

    let type: String
    let normalizers: [Step]?
    let splitters: [Step]?
    let areDigitsSingle: Bool?
    let addsSpaceBefore: Bool?
    let cutsWords: Bool?
    let pattern: Pattern?
    let behavior: String?
    let isInverted: Bool?

    enum CodingKeys: String, CodingKey {
      case type, normalizers, pattern, behavior
      case splitters = "pretokenizers"
      case areDigitsSingle = "individual_digits"
      case addsSpaceBefore = "add_prefix_space"
      case cutsWords = "use_regex"
      case isInverted = "invert"
    }
  }

  let model: Model
  let added: [Added]?
  let normalizer: Step?
  let splitter: Step?

  enum CodingKeys: String, CodingKey {
    case model, normalizer
    case added = "added_tokens"
    case splitter = "pre_tokenizer"
  }

  private var splitters: [Step] { splitter.map { $0.type == "Sequence" ? $0.splitters ?? [] : [$0] } ?? [] }

  /// A reason to refuse it; nil where there is none.
  var whyNot: String? {
    if let type = model.type, type != "BPE" { return "its model is \(type), and not BPE" }
    if model.dropout ?? 0 != 0 { return "it drops merges by chance" }
    if !(model.prefix ?? "").isEmpty || !(model.suffix ?? "").isEmpty {
      return "it marks what a word goes on or ends with"
    }
    // Qwen's: text in the usual form (NFC) stays as it is, and other text keeps its bytes here.
    let changes = normalizer.map { $0.type == "Sequence" ? $0.normalizers ?? [] : [$0] } ?? []
    if let change = changes.first(where: { $0.type != "NFC" }) {
      return "it changes text before it is cut (\(change.type))"
    }
    guard let last = splitters.last, last.type == "ByteLevel" else { return "it is no byte-level BPE" }
    if last.addsSpaceBefore ?? true { return "it puts a space before every text" }
    return nil
  }

  /// How it cuts words, where that is a way that foretop has.
  var pattern: WordPattern? {
    let isCutByLevel = splitters.last?.cutsWords ?? true
    let before = splitters.dropLast()
    guard let first = before.first else { return isCutByLevel ? .gpt2 : nil }
    guard before.count == 1 else { return nil }
    if first.type == "Digits", isCutByLevel { return first.areDigitsSingle == true ? .smolLM : nil }
    guard first.type == "Split", first.behavior == "Isolated", first.isInverted != true, !isCutByLevel else {
      return nil
    }
    return [1, 3].first { WordPattern.expression(digits: $0) == first.pattern?.expression }.map { .llama3(digits: $0) }
  }
}
