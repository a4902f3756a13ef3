// The tokens of star graphs as text: `3 5 |3 1 /3 1 =3 1 `. A comma is as good as a space.
import Run

/// Tokens n < N are nodes; then come `|`, `=`, `/` and the filler, written as `.`.
struct StarGraphTokens: Sendable {
  private let nodes: Int
  private static let signs: [UInt8] = Array("|=/.".utf8)

  var vocabulary: Int { nodes + Self.signs.count }

  /// - Parameter model: N in decimal.
  init(_ model: [UInt8]) throws(CorpusError) {
    guard let nodes = Int(String(decoding: model, as: UTF8.self)), (1...1 << 24).contains(nodes) else {
      throw CorpusError(.badTokenizer, "the stored number of nodes is damaged: it is not a whole number above 0")
    }
    self.nodes = nodes
  }

  func text(of token: Int32) -> String {
    token < nodes ? "\(token) " : String(UnicodeScalar(Self.signs[Int(token) - nodes]))
  }

  /// The tokens of a text; words that stand for none are left out.
  func tokens(of bytes: UnsafeRawBufferPointer) -> [Int32] { words(of: bytes).compactMap { $0 } }

  /// Whether every word of a text is a token.
  func takesAll(of text: String) -> Bool {
    Array(text.utf8).withUnsafeBytes { words(of: $0).allSatisfy { $0 != nil } }
  }

  /// A token a word; nil for a word that stands for none.
  private func words(of bytes: UnsafeRawBufferPointer) -> [Int32?] {
    var words: [Int32?] = []
    var number: [UInt8] = []
    func end() {
      guard !number.isEmpty else { return }
      words.append(
        Int32(String(decoding: number, as: UTF8.self)).flatMap { (0..<Int32(nodes)).contains($0) ? $0 : nil })
      number = []
    }
    for byte in bytes {
      if let sign = Self.signs.firstIndex(of: byte) {
        end()
        words.append(Int32(nodes + sign))
      } else if [0x20, 0x0A, UInt8(ascii: ",")].contains(byte) {
        end()
      } else {
        number.append(byte)
      }
    }
    end()
    return words
  }
}
