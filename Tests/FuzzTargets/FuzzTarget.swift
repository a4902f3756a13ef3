// The readers that are fuzzed: what each is given, and what it must hold beside refusing. A trap, a hang or more memory
// than libFuzzer allows is a finding. The suite reads the stored inputs; `make fuzz` makes others.
import Experiments
import Foundation
import Run

@testable import Corpus
@testable import Dashboard
@testable import Export
@testable import Session
@testable import Training

package struct FuzzTarget: Sendable {
  package let name: String
  /// Reads an input: refuses it, or holds what is said of it.
  package let read: @Sendable ([UInt8]) -> Void

  package static let all: [FuzzTarget] = [
    FuzzTarget(name: "recipe") { bytes in
      let text = String(decoding: bytes, as: UTF8.self)
      guard let recipe = try? Recipe(yaml: text, source: "x") else { return }
      // What is read is written and read again as it was.
      let again = try? Recipe(yaml: recipe.yaml, source: "x")
      precondition(again == recipe, "a recipe changes when it is written and read")
      try? recipe.validate(source: "x")
    },
    FuzzTarget(name: "assignment") { bytes in
      var recipe = Recipe()
      try? recipe.set(String(decoding: bytes, as: UTF8.self), source: "--set")
      precondition(
        (try? Recipe(yaml: recipe.yaml, source: "x")) == recipe, "a value changes when it is written and read")
    },
    FuzzTarget(name: "layout") { bytes in
      _ = try? Layout(yaml: String(decoding: bytes, as: UTF8.self), source: "x")
    },
    FuzzTarget(name: "preferences") { bytes in
      _ = try? Preferences(yaml: String(decoding: bytes, as: UTF8.self), source: "x")
    },
    FuzzTarget(name: "experiment") { bytes in
      _ = try? ExperimentFile(yaml: String(decoding: bytes, as: UTF8.self), source: "x", name: "x")
    },
    FuzzTarget(name: "command") { bytes in
      guard let command = try? Command(typed: String(decoding: bytes, as: UTF8.self)) else { return }
      precondition((try? Command(typed: command.line)) == command, "a command changes when it is written and read")
    },
    FuzzTarget(name: "control") { bytes in _ = try? ControlMessage(bytes, from: 1) },
    FuzzTarget(name: "task") { bytes in _ = try? [TaskItem](jsonLines: bytes, source: "x") },
    FuzzTarget(name: "text") { bytes in read(bytes, as: "") },
    FuzzTarget(name: "jsonl") { bytes in read(bytes, as: ".jsonl") },
    FuzzTarget(name: "json") { bytes in
      guard let value = try? JSON.read(bytes) else { return }
      precondition((try? JSON.read(Array(value.line.utf8))) != nil, "a printed value cannot be read")
    },
    FuzzTarget(name: "config") { bytes in _ = try? ForeignConfiguration(bytes, source: "x") },
    FuzzTarget(name: "tokenizer-json") { bytes in
      if let tokenizer = try? Tokenizer(kind: .bpe, model: bytes) { use(tokenizer) }
      if let record = try? HuggingFace.tokenizer(.init(document: bytes), vocabulary: 512, folder: "x"),
        let tokenizer = try? Tokenizer(kind: record.kind, model: record.model)
      {
        use(tokenizer)
      }
    },
    FuzzTarget(name: "tokenizer-model") { bytes in
      if let tokenizer = try? Tokenizer(kind: .sentencepiece, model: bytes) { use(tokenizer) }
    },
    FuzzTarget(name: "safetensors") { bytes in
      guard let length = try? SafeTensors.headerLength(Array(bytes.prefix(8)), size: bytes.count, source: "x") else {
        return
      }
      let header = Array(bytes[8..<8 + length])
      for entry in (try? SafeTensors.entries(header, size: bytes.count, source: "x")) ?? [] {
        precondition(
          entry.bytes.upperBound <= bytes.count && entry.bytes.lowerBound >= 8, "a tensor outside of its file")
      }
    },
    FuzzTarget(name: "tokens") { bytes in
      withFile(bytes) { path in
        guard let file = try? TokenFile(at: path) else { return }
        let count = min(file.count, 1000)
        var tokens = [Int32](repeating: 0, count: count)
        guard
          (try? tokens.withUnsafeMutableBufferPointer {
            try file.copy(0..<count, to: $0.baseAddress!, below: 50_000)
          }) != nil
        else { return }
        precondition(tokens.allSatisfy { $0 >= -1 && $0 < 50_000 }, "a token outside of the vocabulary")
      }
    },
    FuzzTarget(name: "journal", read: RunFiles.journal),
    FuzzTarget(name: "superblock", read: RunFiles.superblock),
  ]

  /// Encodes, decodes and shows with a tokenizer that was taken.
  private static func use(_ tokenizer: Tokenizer) {
    let text = Array("In the beginning\n\n  é漢😀 123's\u{0}".utf8) + [0xFF, 0xC3]
    let tokens = tokenizer.tokens(of: text)
    precondition(
      tokens.allSatisfy { $0 >= 0 && Int($0) < tokenizer.vocabulary }, "a token outside of the vocabulary")
    _ = tokenizer.bytes(of: tokens)
    for token in 0..<Int32(min(tokenizer.vocabulary, 64)) { _ = tokenizer.visible(token) }
  }

  /// Reads the text of a corpus, packed or not.
  private static func read(_ bytes: [UInt8], as ending: String) {
    withFile(bytes, ending) { path in
      guard let reader = try? TextReader(opening: path) else { return }
      var size = 0
      try? reader.forEachPiece { piece throws(CorpusError) in
        size += piece.count
        precondition(reader.takeEnds().allSatisfy { (0...size).contains($0) }, "a text ends where nothing was read")
        // A packed megabyte may unpack to a thousand.
        return size < 1 << 24
      }
    }
  }

  /// Puts bytes into a file in memory, whose path is handed over.
  static func withFile(_ bytes: [UInt8], _ ending: String = "", _ body: (String) -> Void) {
    let path = "/dev/shm/foretop-fuzz-\(getpid())\(ending)"
    let file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
    precondition(file >= 0, "\(path) cannot be made")
    defer {
      close(file)
      unlink(path)
    }
    precondition(write(file, bytes, bytes.count) == bytes.count, "\(path) cannot be written")
    body(path)
  }
}
