// tokenizer.json of a byte-level BPE, as GPT-2, Llama 3, SmolLM and Qwen have it: the format of Hugging Face's
// tokenizers library. A file that needs something foretop does not do is refused with the reason.
import Run

/// The content of a `tokenizer.json` with a byte-level BPE.
package struct BytePairFile: Sendable {
  /// Two neighbouring tokens and the token that they are merged into.
  package struct Merge: Sendable, Equatable {
    package let left, right, result: Int32
  }

  /// The bytes of every token; empty for special tokens, which text never becomes.
  package private(set) var tokens: [[UInt8]] = []
  /// The names of special tokens, which text never becomes.
  package private(set) var specials: [Int32: [UInt8]] = [:]
  /// All merges, by priority: the first in the list is applied first.
  package private(set) var merges: [Merge] = []
  package let pattern: WordPattern
  /// True if a whole word that is a token becomes that token before any merge (`ignore_merges`).
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

  /// The bytes that a name stands for; nil if a character of the name stands for no byte.
  private static func bytes(_ name: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(name.utf8.count)
    for scalar in name.unicodeScalars {
      guard scalar.value < byteValues.count, let byte = byteValues[Int(scalar.value)] else { return nil }
      bytes.append(byte)
    }
    return bytes
  }

  /// The byte that each scalar stands for, indexed by the scalar's value; nil for scalars that stand for none.
  private static let byteValues: [UInt8?] = {
    var values = [UInt8?](repeating: nil, count: 0x144)
    for (byte, name) in byteNames.enumerated() { values[Int(name.value)] = UInt8(byte) }
    return values
  }()

  /// Reads a file's bytes.
  /// - Throws: `CorpusError.badTokenizer` with the damage, or the feature that foretop does not support.
  package init(_ file: [UInt8]) throws(CorpusError) {
    let document: JSON
    do {
      document = try JSON.read(file)
    } catch {
      throw CorpusError(
        .badTokenizer, "these \(file.count) bytes are not a tokenizer.json, or are damaged: \(error)")
    }
    let ways = Ways(document)
    if let reason = ways.whyNot { throw Self.refusal(reason) }
    guard let pattern = ways.pattern else {
      throw Self.refusal("it splits text into words in another way than GPT-2, SmolLM, Llama 3 and Qwen")
    }
    self.pattern = pattern
    takesWholeWords = document["model"]?["ignore_merges"]?.isTrue ?? false
    try readTokens(document)
    try readMerges(document["model"]?["merges"]?.elements ?? [])
  }

  /// True if a file begins with “{”, as a `tokenizer.json` does; a SentencePiece model cannot.
  static func begins(_ bytes: some Sequence<UInt8>) -> Bool {
    bytes.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } == UInt8(ascii: "{")
  }

  private static func refusal(_ reason: String) -> CorpusError {
    CorpusError(.badTokenizer, "foretop does not support this tokenizer.json: \(reason)")
  }

  private mutating func readTokens(_ document: JSON) throws(CorpusError) {
    let vocabulary = document["model"]?["vocab"]?.members ?? []
    let added = document["added_tokens"]?.elements ?? []
    var names = [String?](repeating: nil, count: vocabulary.count + added.count)
    for token in vocabulary {
      guard let id = token.value.whole, names.indices.contains(id), names[id] == nil else {
        throw Self.refusal("the id of \(token.key.quotation) is used twice, or is not a number below \(names.count)")
      }
      names[id] = token.key
    }
    var isAdded = [Bool](repeating: false, count: names.count)
    for token in added {
      guard let id = token["id"]?.whole, let name = token["content"]?.string, names.indices.contains(id),
        names[id] == nil || names[id] == name
      else { throw Self.refusal("an added token has no id, or the id of another token") }
      guard name.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
        throw Self.refusal("token \(id) is white space that is matched before words are split, as in GPT-NeoX")
      }
      names[id] = name
      isAdded[id] = true
    }
    names.removeLast(names.reversed().prefix { $0 == nil }.count)
    for (id, name) in names.enumerated() {
      guard let name else { throw Self.refusal("no token has the id \(id)") }
      if isAdded[id] {
        specials[Int32(id)] = Array(name.utf8)
        tokens.append([])
      } else if let text = Self.bytes(name), !text.isEmpty {
        tokens.append(text)
      } else {
        throw Self.refusal("token \(id) is not written in GPT-2's byte alphabet")
      }
    }
  }

  /// Merges are `"a b"`, and in newer files `["a", "b"]`.
  private mutating func readMerges(_ list: [JSON]) throws(CorpusError) {
    var ids: [[UInt8]: Int32] = [:]
    ids.reserveCapacity(tokens.count)
    for (id, token) in tokens.enumerated() where !token.isEmpty { ids[token] = Int32(id) }
    merges.reserveCapacity(list.count)
    for (place, merge) in list.enumerated() {
      let words =
        merge.elements?.compactMap(\.string)
        ?? merge.string.map { $0.split(separator: " ", omittingEmptySubsequences: false).map(String.init) } ?? []
      guard words.count == 2, let left = Self.bytes(words[0]), let right = Self.bytes(words[1]),
        let first = ids[left], let second = ids[right], let result = ids[left + right]
      else { throw Self.refusal("merge \(place) has a part or a result that is not a token") }
      merges.append(Merge(left: first, right: second, result: result))
    }
    guard let missing = (UInt8.min...UInt8.max).first(where: { ids[[$0]] == nil }) else { return }
    throw Self.refusal("it has no token for the byte \(missing)")
  }
}

extension JSON {
  /// The steps of a `tokenizer.json` at one stage, in order: the members of a `Sequence`, or the only step.
  /// - Parameters:
  ///   - stage: the document's key: `normalizer`, `pre_tokenizer`.
  ///   - members: the key under which a `Sequence` lists its steps.
  package func tokenizerSteps(_ stage: String, _ members: String) -> [JSON] {
    guard let step = self[stage] else { return [] }
    return step["type"]?.string == "Sequence" ? step[members]?.elements ?? [] : [step]
  }
}

// MARK: What the file wants

/// The options of a tokenizer.json that change its tokens.
private struct Ways {
  private let document: JSON

  init(_ document: JSON) { self.document = document }

  private var splitters: [JSON] { document.tokenizerSteps("pre_tokenizer", "pretokenizers") }

  /// The reason why foretop does not support the tokenizer; nil if it does.
  var whyNot: String? {
    guard let model = document["model"] else { return "it has no model" }
    if let type = model["type"]?.string, type != "BPE" { return "its model is \(type), and not BPE" }
    if model["dropout"]?.number ?? 0 != 0 { return "it drops merges at random (dropout)" }
    for mark in ["continuing_subword_prefix", "end_of_word_suffix"] where !(model[mark]?.string ?? "").isEmpty {
      return "its \(mark) is not empty"
    }
    // Qwen's: text in the usual form (NFC) stays as it is, and other text keeps its bytes here.
    let changes = document.tokenizerSteps("normalizer", "normalizers").map { $0["type"]?.string ?? "of no type" }
    if let change = changes.first(where: { $0 != "NFC" }) { return "its normalizer changes the text (\(change))" }
    guard let last = splitters.last, last["type"]?.string == "ByteLevel" else { return "it is not a byte-level BPE" }
    if last["add_prefix_space"]?.isTrue ?? true { return "it adds a space before every text (add_prefix_space)" }
    return nil
  }

  /// The pattern by which the tokenizer splits words; nil if foretop does not support the pattern.
  var pattern: WordPattern? {
    let isCutByLevel = splitters.last?["use_regex"]?.isTrue ?? true
    let before = splitters.dropLast()
    guard let first = before.first else { return isCutByLevel ? .gpt2 : nil }
    guard before.count == 1 else { return nil }
    switch first["type"]?.string {
    case "Digits" where isCutByLevel: return first["individual_digits"]?.isTrue == true ? .smolLM : nil
    case "Split" where !isCutByLevel:
      guard first["behavior"]?.string == "Isolated", first["invert"]?.isTrue != true else { return nil }
      let expression = first["pattern"]?["Regex"]?.string
      return [1, 3].first { WordPattern.expression(digits: $0) == expression }.map { .llama3(digits: $0) }
    default: return nil
    }
  }
}
