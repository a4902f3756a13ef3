// Recognizes files that are not text by their first bytes, with advice for each kind.

/// A kind of file that a network should not learn from byte by byte.
package struct FileKind: Sendable {
  /// A name of the kind, with an article.
  package let what: String
  /// The advice, for a path.
  package let advice: @Sendable (String) -> String

  private init(_ what: String, _ advice: @escaping @Sendable (String) -> String) {
    self.what = what
    self.advice = advice
  }

  /// The rest of a sentence that begins with the path and “is”.
  func refusal(of path: String) -> String { "\(what), which foretop cannot train on: \(advice(path))" }

  private static func packed(_ name: String, _ tool: String) -> FileKind {
    FileKind("compressed (\(name))") { "unpack it first, such as with “\(tool) \($0)”" }
  }

  private static func other(_ what: String, _ advice: String = "save its text as a file in UTF-8") -> FileKind {
    FileKind(what) { _ in advice }
  }

  private static func wide(_ name: String) -> FileKind {
    FileKind("text in \(name)") { "convert it to UTF-8, such as with “iconv -f \(name) -t UTF-8 \($0) > new.txt”" }
  }

  private static let rows =
    "write its texts into a text file, or as JSON lines with a “text” each (.jsonl), such as with pandas or the datasets library"

  /// The first bytes of files of each kind.
  private static let beginnings: [(bytes: [UInt8], kind: FileKind)] = [
    ([0x1F, 0x8B], packed("gzip", "gunzip -k")), ([0x28, 0xB5, 0x2F, 0xFD], packed("zstd", "unzstd")),
    ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], packed("xz", "unxz -k")), (Array("LZIP".utf8), packed("lzip", "lzip -dk")),
    ([0x04, 0x22, 0x4D, 0x18], packed("lz4", "unlz4")), ([0x50, 0x4B, 3, 4], packed("zip", "unzip")),
    ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], packed("7z", "7z x")),
    (Array("Rar!\u{1A}\u{7}".utf8), packed("rar", "unrar x")),
    (Array("BZh".utf8), packed("bzip2", "bunzip2 -k")), ([0x1F, 0x9D], packed("compress", "uncompress")),
    (Array("%PDF-".utf8), FileKind("a PDF") { "take its text out, such as with “pdftotext \($0)”" }),
    (Array("PAR1".utf8), other("a Parquet file", rows)), (Array("ARROW1\0\0".utf8), other("an Arrow file", rows)),
    (Array("Obj\u{1}".utf8), other("an Avro file", rows)),
    (Array("SQLite format 3\0".utf8), other("an SQLite database", rows)),
    ([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A], other("an HDF5 file", rows)),
    (
      [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59],
      other("a NumPy array", "write it as plain integers with “tofile”, named .bin, for tokenizer.kind tokens")
    ),
    ([0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1], other("an old Office document")),
    ([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], other("an image (PNG)", "leave it out")),
    ([0xFF, 0xD8, 0xFF], other("an image (JPEG)", "leave it out")),
    (Array("GIF8".utf8), other("an image (GIF)", "leave it out")),
    ([0x7F, 0x45, 0x4C, 0x46], other("a program (ELF)", "leave it out")),
    (Array("GGUF".utf8), other("a model (GGUF)", "leave it out")),
    ([0, 0, 0xFE, 0xFF], wide("UTF-32BE")), ([0xFF, 0xFE, 0, 0], wide("UTF-32LE")), ([0xFE, 0xFF], wide("UTF-16BE")),
    ([0xFF, 0xFE], wide("UTF-16LE")),
  ]

  /// - Parameter bytes: the first bytes of a file, up to some thousand.
  /// - Returns: nil if the file may be text, or is of an unknown kind.
  package init?(_ bytes: some Collection<UInt8>) {
    let first = Array(bytes.prefix(8000))
    if let known = Self.beginnings.first(where: { first.starts(with: $0.bytes) })?.kind {
      // Words begin with BZh too; numbers of a level follow it in a file.
      guard first.starts(with: Array("BZh".utf8)) == false || (first.count > 3 && (0x31...0x39).contains(first[3]))
      else {
        return nil
      }
      self = known
    } else if first.count > 262, first[257..<262].elementsEqual("ustar".utf8) {
      self = FileKind("an archive (tar)") { "unpack it first, such as with “tar -xf \($0)”" }
    } else if let order = Self.unmarkedOrder(first) {
      self = Self.wide(order)
    } else {
      return nil
    }
  }

  /// The kind of a file that should have tokens. Tokens of two bytes may look like a byte order mark or like text by
  /// chance, so that only beginnings of at least four bytes count.
  /// - Returns: nil if the file may have tokens.
  static func amongNumbers(_ first: [UInt8]) -> FileKind? {
    if first.count > 3, first.starts(with: [0x1F, 0x8B, 8]), first[3] < 0x20 { return packed("gzip", "gunzip -k") }
    return beginnings.first { $0.bytes.count >= 4 && first.starts(with: $0.bytes) }?.kind
  }

  /// UTF-16 without a mark: letters, spaces and line ends of most scripts have a zero byte, all on one side.
  private static func unmarkedOrder(_ bytes: [UInt8]) -> String? {
    let pairs = bytes.count / 2
    guard pairs >= 8 else { return nil }
    var zeros = [0, 0]
    var breaks = [0, 0]
    for index in 0..<2 * pairs {
      if bytes[index] == 0 {
        zeros[index % 2] += 1
        // Beside it stands a character that text has.
        let other = bytes[index ^ 1]
        if other == 0x0A || other == 0x20 || (0x21...0x7E).contains(other) { breaks[index % 2] += 1 }
      }
    }
    for side in 0...1 where zeros[1 - side] == 0 && zeros[side] * 64 >= pairs && breaks[side] * 8 >= 7 * zeros[side] {
      return side == 1 ? "UTF-16LE" : "UTF-16BE"
    }
    return nil
  }

  /// A pickle is a program: protocols 2 to 5 begin and end like this.
  static func isPickle(_ first: [UInt8], last: UInt8) -> Bool {
    first.count > 1 && first[0] == 0x80 && (2...5).contains(first[1]) && last == 0x2E
  }
}
