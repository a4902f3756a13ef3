// The pieces of a SentencePiece model, for export to other formats.

/// A piece of a SentencePiece model (`ModelProto.SentencePiece` in sentencepiece_model.proto).
package struct SentencePiece: Sendable, Equatable {
  package enum Category: UInt64, Sendable { case normal = 1, unknown, control, userDefined, unused, byte }

  /// UTF-8, with U+2581 for the space.
  package var text: [UInt8]
  package var score: Float
  package var kind: Category

  package init(text: [UInt8], score: Float, kind: Category) {
    self.text = text
    self.score = score
    self.kind = kind
  }
}

extension SentencePieceFile {
  /// The pieces of a model file in order of their ids. An unknown kind counts as unused.
  package static func pieces(of model: [UInt8]) -> [SentencePiece] {
    var pieces: [SentencePiece] = []
    var file = ProtocolBufferFields(model[...])
    while let field = file.next() {
      guard field.number == 1, let bytes = field.bytes else { continue }
      var piece = SentencePiece(text: [], score: 0, kind: .normal)
      var fields = ProtocolBufferFields(bytes)
      while let field = fields.next() {
        switch field.number {
        case 1: piece.text = Array(field.bytes ?? [])
        case 2: piece.score = Float(bitPattern: UInt32(truncatingIfNeeded: field.value))
        case 3: piece.kind = SentencePiece.Category(rawValue: field.value) ?? .unused
        default: break
        }
      }
      pieces.append(piece)
    }
    return pieces
  }
}
