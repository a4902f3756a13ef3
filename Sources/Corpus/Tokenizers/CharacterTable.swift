// The character tokenizer: each Unicode scalar is a token, in order of the code points.

/// The scalars of a text, sorted, and one id after the last for every scalar (and invalid byte) that is not among them.
struct CharacterTable: Sendable {
  /// The scalars in order of their ids.
  private let scalars: [UInt32]
  /// The id of each scalar value, up to the largest that has one; `unknown` in the gaps.
  private let ids: [Int32]

  /// The id of everything that is not in the table: the last id.
  var unknown: Int32 { Int32(scalars.count) }
  var vocabulary: Int { scalars.count + 1 }

  /// Restores a table from its model: the UTF-8 text of its scalars in order of their ids.
  init(_ model: [UInt8]) throws(CorpusError) {
    var scalars: [UInt32] = []
    model.withUnsafeBytes { bytes in
      var index = 0
      while index < bytes.count {
        let decoded = bytes.scalar(at: index)
        guard let value = decoded.value, value > scalars.last ?? 0 || scalars.isEmpty else {
          scalars = []
          return
        }
        scalars.append(value)
        index += decoded.length
      }
    }
    guard let last = scalars.last else {
      throw CorpusError(
        .badTokenizer, "a stored table of characters is damaged: it is not a sorted list of characters in UTF-8")
    }
    var ids = [Int32](repeating: Int32(scalars.count), count: Int(last) + 1)
    for (id, scalar) in scalars.enumerated() { ids[Int(scalar)] = Int32(id) }
    self.scalars = scalars
    self.ids = ids
  }

  func tokens(of bytes: UnsafeRawBufferPointer) -> [Int32] {
    var tokens: [Int32] = []
    tokens.reserveCapacity(bytes.count)
    var index = 0
    while index < bytes.count {
      let decoded = bytes.scalar(at: index)
      if let value = decoded.value, value < ids.count {
        tokens.append(ids[Int(value)])
      } else {
        tokens.append(unknown)
      }
      index += decoded.length
    }
    return tokens
  }

  /// The UTF-8 of a token; of `unknown`, that of U+FFFD.
  func bytes(of token: Int32) -> [UInt8] {
    let scalar = token == unknown ? nil : Unicode.Scalar(scalars[Int(token)])
    return Array(String(Character(scalar ?? "\u{FFFD}")).utf8)
  }
}

/// Collects the scalars of a corpus, for a `CharacterTable`.
struct CharacterCensus {
  private var seen = [Bool](repeating: false, count: 0x11_0000)

  /// Adds text, which must be well-formed UTF-8.
  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    seen.withUnsafeMutableBufferPointer { seen in
      var index = 0
      while index < bytes.count {
        let decoded = bytes.scalar(at: index)
        if let value = decoded.value { seen[Int(value)] = true }
        index += decoded.length
      }
    }
  }

  /// The model of the table of all scalars seen.
  var model: [UInt8] {
    var text = String.UnicodeScalarView()
    for value in seen.indices where seen[value] {
      if let scalar = Unicode.Scalar(UInt32(value)) { text.append(scalar) }
    }
    return Array(String(text).utf8)
  }
}
