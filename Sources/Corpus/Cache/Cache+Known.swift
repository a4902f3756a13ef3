// What a start need not read again: texts and token files that are as they were at an earlier start.

extension Cache {
  /// The text files at paths. Files that are as they were at an earlier start are not read.
  /// - Parameter progress: as that of `TextFiles.init(at:before:progress:)`.
  /// - Throws: as that one.
  func texts(
    at paths: [String], progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(CorpusError) -> TextFiles {
    let key = KnownTexts.key(paths)
    let before = file(key, "texts").flatMap(KnownTexts.init) ?? KnownTexts()
    let texts = try TextFiles(at: paths, before: before, progress: progress)
    if texts.known.texts != before.texts { keepQuietly(key, "texts", texts.known.bytes) }
    return texts
  }

  /// Counts the tokens of files, in order. Files that are as they were when they were counted are not read.
  /// - Parameters:
  ///   - boundary: only tokens before this place are counted in `counts`.
  ///   - end: the token that ends a document; nil if there is none.
  /// - Throws: `CorpusError` when a file cannot be read or changes meanwhile.
  func census(
    of files: [TokenFile], before boundary: Int, endedBy end: Int32?
  ) throws(CorpusError) -> TokenCensus {
    let stamps = files.map(\.stamp)
    if let known = knownCensus(of: stamps, before: boundary, endedBy: end) { return known }
    var census = TokenCensus(before: boundary, endedBy: end)
    for file in files { try file.survey(&census) }
    if stamps.allSatisfy(\.isSettled) { keep(census, of: stamps) }
    return census
  }

  /// The census of files with these stamps; nil if they were never counted.
  func knownCensus(of stamps: [FileStamp], before boundary: Int, endedBy end: Int32? = nil) -> TokenCensus? {
    let empty = TokenCensus(before: boundary, endedBy: end)
    guard !stamps.isEmpty, let file = file(Self.key(stamps, empty), "census"), file.width == 8,
      let bytes = try? file.elements()
    else { return nil }
    return empty.filled(by: bytes.withUnsafeBytes { Array($0.bindMemory(to: UInt64.self)) })
  }

  func keep(_ census: TokenCensus, of stamps: [FileStamp]) {
    // Larger tokens are those of a file that is refused.
    guard !stamps.isEmpty, census.largest?.token ?? 0 < 1 << 20 else { return }
    keepQuietly(Self.key(stamps, census), "census", census.words.withUnsafeBytes { Array($0) })
  }

  private static func key(_ stamps: [FileStamp], _ census: TokenCensus) -> [UInt8] {
    var key = Digest()
    key.add(field: "census")
    key.add(number: TokenCensus.version)
    census.add(to: &key)
    for stamp in stamps {
      for index in 0..<2 { key.add(number: Int(truncatingIfNeeded: stamp.words[index])) }
    }
    return key.finished()
  }

  /// Writes 8-byte numbers that only save the next start some reading: nothing is said where they cannot be written.
  private func keepQuietly(_ key: [UInt8], _ ending: String, _ bytes: [UInt8]) {
    for folder in writableFolders {
      let path = Self.path(in: folder, key, ending)
      let isWritten: Void? = try? CacheFile.write(path, key: key, width: 8) { append, _ throws(CorpusError) in
        try bytes.withUnsafeBufferPointer { elements throws(CorpusError) in
          try append(UnsafeRawBufferPointer(elements))
        }
      }
      if isWritten != nil { return }
    }
  }
}
