// Reads the tokenizer of a Hugging Face checkpoint: a SentencePiece model, a tokenizer.json that was made from one or is a
// byte-level BPE, or one of foretop's own exports. Bytes in, values out.
import Corpus
import Foundation
import Run

extension HuggingFace {
  /// The files that describe a tokenizer; nil for a missing file.
  package struct TokenizerFiles: Sendable {
    /// tokenizer.model
    package var model: [UInt8]?
    /// tokenizer.json
    package var document: [UInt8]?
    /// tokenizer_config.json
    package var settings: [UInt8]?

    package init(model: [UInt8]? = nil, document: [UInt8]? = nil, settings: [UInt8]? = nil) {
      self.model = model
      self.document = document
      self.settings = settings
    }
  }

  /// Reads a checkpoint's tokenizer. Tokens of the network that the tokenizer lacks become pieces that no text makes.
  /// - Parameters:
  ///   - vocabulary: the network's number of tokens.
  ///   - folder: the checkpoint's folder, for messages.
  ///   - named: the path of a tokenizer from elsewhere, for messages.
  /// - Throws: `UserError` when foretop lacks this tokenizer, or the tokenizer makes tokens that the network does not have.
  package static func tokenizer(_ files: TokenizerFiles, vocabulary: Int, folder: String, named: String? = nil)
    throws -> TokenizerRecord
  {
    var record: TokenizerRecord
    // The recipe's tokenizer.model may name either kind of file.
    if let model = files.model, Tokenizer.kind(ofModelFile: model) == .bpe {
      let documents = TokenizerFiles(document: model, settings: files.settings)
      return try tokenizer(
        documents, vocabulary: vocabulary, folder: folder, named: named ?? "\(folder)/tokenizer.model")
    }
    let source = named ?? "\(folder)/tokenizer.json"
    let document = try files.document.map { try json($0, source: source) }
    if let model = files.model {
      guard let file = SentencePieceFile(model) else {
        throw UserError(
          .data,
          "\(folder)/tokenizer.model is not a SentencePiece model: foretop supports SentencePiece models, byte-level BPE, bytes and characters"
        )
      }
      record = TokenizerRecord(kind: "sentencepiece", model: model, vocabulary: file.pieces)
    } else if let document, let bytes = files.document {
      record = try TokenizerDocument(document, bytes, source: source).record
    } else {
      throw UserError(
        .noInput,
        "\(folder) has neither a tokenizer.model nor a tokenizer.json: name a SentencePiece model with --set tokenizer.model=FILE, or import the network without a tokenizer, for token files, with --set tokenizer.kind=tokens --data FILE.bin"
      )
    }
    guard record.vocabulary <= vocabulary else {
      throw UserError(
        .data,
        "the tokenizer in \(folder) makes \(record.vocabulary) tokens, and the network has only \(vocabulary) (vocab_size in config.json)"
      )
    }
    guard record.vocabulary < vocabulary else { return record }
    let settings = try files.settings.map { try json($0, source: "\(folder)/tokenizer_config.json") }
    let names = addedNames(document, settings)
    let unused = (record.vocabulary..<vocabulary).map { (id: $0, name: names[$0] ?? "<unused \($0)>") }
    if record.kind == "bpe", let document {
      record.model = document.adding(unused).file
      record.vocabulary = vocabulary
      return record
    }
    guard record.kind == "sentencepiece" else {
      throw UserError(
        .data,
        "the tokenizer in \(folder) makes \(record.vocabulary) tokens (\(record.kind)), and the network has \(vocabulary) (vocab_size in config.json)"
      )
    }
    for token in unused {
      record.model += SentencePiece(text: Array(token.name.utf8), score: 0, kind: .control).field
    }
    record.vocabulary = vocabulary
    return record
  }

  private static func json(_ bytes: [UInt8], source: String) throws -> JSON {
    do {
      return try JSON.read(bytes)
    } catch {
      throw UserError(.data, "\(source) is not JSON: \(error)")
    }
  }

  /// The names of a tokenizer's added tokens, by id.
  private static func addedNames(_ document: JSON?, _ settings: JSON?) -> [Int: String] {
    var names: [Int: String] = [:]
    for member in settings?["added_tokens_decoder"]?.members ?? [] {
      if let id = Int(member.key), let content = member.value["content"]?.string { names[id] = content }
    }
    for token in document?["added_tokens"]?.elements ?? [] {
      if let id = token["id"]?.whole, let content = token["content"]?.string { names[id] = content }
    }
    return names
  }
}

extension JSON {
  /// A tokenizer.json with further tokens that no text makes.
  fileprivate func adding(_ tokens: [(id: Int, name: String)]) -> JSON {
    let added = tokens.map { token in
      HuggingFace.addedToken(token.name, id: token.id)
    }
    var members = members ?? []
    let place = members.firstIndex { $0.key == "added_tokens" }
    let all = JSON.array((place.flatMap { members[$0].value.elements } ?? []) + added)
    if let place { members[place].value = all } else { members.append(JSON.Member("added_tokens", all)) }
    return .object(members)
  }
}

extension SentencePiece {
  /// The piece as a field of a model file. Repeated fields may stand anywhere, so that it can be appended to a file.
  var field: [UInt8] {
    var piece = ProtocolBuffer()
    piece.add(1, bytes: text)
    piece.add(2, number: score)
    piece.add(3, whole: kind.rawValue)
    var file = ProtocolBuffer()
    file.add(1, bytes: piece.bytes)
    return file.bytes
  }
}
