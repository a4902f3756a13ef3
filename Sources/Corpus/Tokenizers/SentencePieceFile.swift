// Fields of a SentencePiece model file that its library does not expose: how the model treats spaces.

/// The few fields of a model file (`ModelProto` in sentencepiece_model.proto, a protocol buffer) that decide where text may
/// be cut before it is encoded. Reading them also finds most damage before the library sees the file.
package struct SentencePieceFile {
  package enum Algorithm: UInt64 { case unigram = 1, bpe, word, char }

  /// How many pieces the file lists.
  package private(set) var pieces = 0
  package private(set) var algorithm: UInt64 = Algorithm.unigram.rawValue
  private(set) var putsSpaceAfterWords = false
  /// The normalizer's character map, compiled by SentencePiece; empty if the normalizer leaves characters unchanged.
  package private(set) var characterMap: [UInt8] = []
  /// True if the denormalizer's character map is sound; foretop does not use the map, but the library loads it.
  private var isReversedSoundly = true
  package private(set) var addsSpaceBefore = true
  package private(set) var removesSpaces = true
  private(set) var writesSpacesAsMarks = true

  /// True if the normalizer changes characters.
  var changesCharacters: Bool { !characterMap.isEmpty }

  /// Fails if the bytes are not a protocol buffer with pieces.
  package init?(_ bytes: [UInt8]) {
    var file = ProtocolBufferFields(bytes[...])
    while let field = file.next() {
      switch (field.number, field.bytes) {
      case (1, .some): pieces += 1
      case (2, .some(let trainer)): readTrainer(trainer)
      case (3, .some(let normalizer)): readNormalizer(normalizer)
      case (5, .some(let reverse)):
        var fields = ProtocolBufferFields(reverse)
        while let field = fields.next() {
          if field.number == 2 { isReversedSoundly = CharacterMap.isSound(Array(field.bytes ?? [])) }
        }
      default: break
      }
    }
    guard !file.isDamaged, pieces > 0, CharacterMap.isSound(characterMap), isReversedSoundly else { return nil }
  }

  private mutating func readTrainer(_ bytes: ArraySlice<UInt8>) {
    var fields = ProtocolBufferFields(bytes)
    while let field = fields.next() {
      switch field.number {
      case 3: algorithm = field.value
      case 24: putsSpaceAfterWords = field.value != 0
      default: break
      }
    }
  }

  private mutating func readNormalizer(_ bytes: ArraySlice<UInt8>) {
    var fields = ProtocolBufferFields(bytes)
    while let field = fields.next() {
      switch field.number {
      case 2: characterMap = Array(field.bytes ?? [])
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
