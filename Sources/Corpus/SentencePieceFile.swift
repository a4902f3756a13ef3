// What a SentencePiece model file says about itself and its library does not tell: how it treats spaces.

/// The few fields of a model file (`ModelProto` in sentencepiece_model.proto, a protocol buffer) that decide where text may
/// be cut before it is encoded. Reading them also finds most damage before the library sees the file.
struct SentencePieceFile {
  enum Algorithm: UInt64 { case unigram = 1, bpe, word, char }

  /// How many pieces the file lists.
  private(set) var pieces = 0
  private(set) var algorithm: UInt64 = Algorithm.unigram.rawValue
  private(set) var putsSpaceAfterWords = false
  /// Whether normalization changes characters.
  private(set) var changesCharacters = false
  private(set) var addsSpaceBefore = true
  private(set) var removesSpaces = true
  private(set) var writesSpacesAsMarks = true

  /// Fails when the bytes are no protocol buffer with pieces.
  init?(_ bytes: [UInt8]) {
    var file = Fields(bytes[...])
    while let field = file.next() {
      switch (field.number, field.bytes) {
      case (1, .some): pieces += 1
      case (2, .some(let trainer)): readTrainer(trainer)
      case (3, .some(let normalizer)): readNormalizer(normalizer)
      default: break
      }
    }
    guard !file.isDamaged, pieces > 0 else { return nil }
  }

  private mutating func readTrainer(_ bytes: ArraySlice<UInt8>) {
    var fields = Fields(bytes)
    while let field = fields.next() {
      switch field.number {
      case 3: algorithm = field.value
      case 24: putsSpaceAfterWords = field.value != 0
      default: break
      }
    }
  }

  private mutating func readNormalizer(_ bytes: ArraySlice<UInt8>) {
    var fields = Fields(bytes)
    while let field = fields.next() {
      switch field.number {
      case 2: changesCharacters = !(field.bytes ?? []).isEmpty
      case 3: addsSpaceBefore = field.value != 0
      case 4: removesSpaces = field.value != 0
      case 5: writesSpacesAsMarks = field.value != 0
      default: break
      }
    }
  }

  /// Appended to a model file, these bytes set `normalizer_spec.add_dummy_prefix` to false: parts of a message that come later
  /// are merged into it, and the last value of a field holds (the protocol buffers' encoding rules).
  static let withoutSpaceBefore: [UInt8] = [3 << 3 | 2, 2, 3 << 3 | 0, 0]
}

/// The fields of a protocol buffer, one after the other.
private struct Fields {
  struct Field {
    var number: UInt64
    /// The value of a number.
    var value: UInt64 = 0
    /// The content of a string, or of a message in the message.
    var bytes: ArraySlice<UInt8>?
  }

  private var rest: ArraySlice<UInt8>
  /// Whether reading stopped at something that is no field.
  private(set) var isDamaged = false

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  mutating func next() -> Field? {
    guard !rest.isEmpty, !isDamaged else { return nil }
    guard let tag = number(), let field = field(tag) else {
      isDamaged = true
      return nil
    }
    return field
  }

  private mutating func field(_ tag: UInt64) -> Field? {
    var field = Field(number: tag >> 3)
    guard field.number > 0 else { return nil }
    switch tag & 7 {
    case 0:
      guard let value = number() else { return nil }
      field.value = value
    case 1: guard taken(8) != nil else { return nil }
    case 2:
      guard let length = number(), let content = taken(length) else { return nil }
      field.bytes = content
    case 5: guard taken(4) != nil else { return nil }
    default: return nil
    }
    return field
  }

  private mutating func number() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    return nil
  }

  private mutating func taken(_ length: UInt64) -> ArraySlice<UInt8>? {
    guard length <= UInt64(rest.count) else { return nil }
    let content = rest.prefix(Int(length))
    rest = rest.dropFirst(Int(length))
    return content
  }
}
