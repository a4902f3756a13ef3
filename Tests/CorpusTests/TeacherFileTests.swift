// Files of teachers: read to the number, and refused in words when they are foreign, damaged, cut short, or about something else.
import Foundation
import Support
import Testing

@testable import Corpus

@Suite struct TeacherFileTests {
  private let folder: TemporaryFolder
  private let corpus: Corpus

  init() throws {
    folder = try TemporaryFolder()
    corpus = try Self.corpus("text.txt", seed: 1, in: folder)
  }

  private static func corpus(_ name: String, seed: UInt64, in folder: TemporaryFolder) throws -> Corpus {
    var dice = Dice(seed)
    let text = (0..<3000).map { _ in "abcdefg ".randomElement(using: &dice)! }
    let path = try folder.write(name, Array(String(text).utf8))
    return try Corpus(
      opening: Corpus.Source(paths: [path], kind: .bytes, heldOut: 0.1, context: 16, cache: folder.cache))
  }

  private func rows(_ count: Int, top: Int) -> TeacherRows {
    var dice = Dice(7)
    var rows = TeacherRows(tokens: [], weights: [])
    for _ in 0..<count {
      rows.tokens += (0..<Int32(256)).shuffled(using: &dice).prefix(top)
      rows.weights += (0..<top).map { Float(Float16(0.5 / Float($0 + 1) / 2)) }
    }
    return rows
  }

  private func written(top: Int = 3, temperature: Double = 0.25, to name: String = "a.teacher") throws -> (
    path: String, rows: TeacherRows
  ) {
    let header = try TeacherHeader(teacher: "run “x” at step 3", corpus: corpus, top: top, temperature: temperature)
    let rows = rows(header.positions, top: header.top)
    let path = folder.path + "/" + name
    try TeacherFile.write(to: path, header) { append in
      // In pieces that do not end where blocks end.
      for first in stride(from: 0, to: header.positions, by: 700) {
        let last = min(header.positions, first + 700)
        try append(
          TeacherRows(
            tokens: Array(rows.tokens[first * top..<last * top]), weights: Array(rows.weights[first * top..<last * top])
          ))
      }
    }
    return (path, rows)
  }

  @Test func `a file of another kind is not replaced`() throws {
    let path = try folder.write("notes.txt", Array("work of years".utf8))
    let header = try TeacherHeader(teacher: "3-gram", corpus: corpus, top: 3, temperature: 1)
    for place in [path, folder.path] {
      #expect(throws: CorpusError.self) {
        try TeacherFile.write(to: place, header) { _ in Issue.record("asked for predictions that go nowhere") }
      }
    }
    #expect(FileManager.default.contents(atPath: path) == Data("work of years".utf8))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).allSatisfy { !$0.hasSuffix(".partial") })
  }

  private func read(_ file: TeacherFile, _ range: Range<Int>, most: Int) throws -> TeacherRows {
    var rows = TeacherRows(
      tokens: [Int32](repeating: -1, count: range.count * most),
      weights: [Float](repeating: -1, count: range.count * most))
    try rows.tokens.withUnsafeMutableBufferPointer { tokens in
      try rows.weights.withUnsafeMutableBufferPointer { weights in
        try file.read(range, most: most, tokens: tokens.baseAddress!, weights: weights.baseAddress!)
      }
    }
    return rows
  }

  @Test func `what was written is read, at any place and with fewer tokens too`() throws {
    let (path, rows) = try written()
    let file = try TeacherFile(at: path)
    try file.check(for: corpus)
    #expect(file.header.positions == corpus.training.count && file.header.top == 3)
    #expect(file.header.temperature == 0.25 && file.header.teacher == "run “x” at step 3")
    for range in [
      0..<file.header.positions, 1000..<1100, 1023..<1025, file.header.positions - 1..<file.header.positions,
    ] {
      for most in 1...3 {
        let found = try read(file, range, most: most)
        for (index, position) in range.enumerated() {
          for k in 0..<most {
            #expect(found.tokens[index * most + k] == rows.tokens[position * 3 + k])
            #expect(found.weights[index * most + k] == rows.weights[position * 3 + k])
          }
        }
      }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).allSatisfy { !$0.hasSuffix(".partial") })
  }

  @Test func `a writer that is stopped leaves nothing that is taken for whole`() throws {
    struct Stopped: Error {}
    let header = try TeacherHeader(teacher: "x", corpus: corpus, top: 3, temperature: 1)
    let path = folder.path + "/half.teacher"
    var aside: String?
    #expect(throws: Stopped.self) {
      try TeacherFile.write(to: path, header) { append in
        try append(rows(1500, top: 3))
        // What a killed writer leaves: no header, whatever its size.
        let name = try FileManager.default.contentsOfDirectory(atPath: folder.path).first { $0.hasSuffix(".partial") }
        let copy = folder.path + "/copy.teacher"
        try FileManager.default.copyItem(atPath: folder.path + "/" + name!, toPath: copy)
        let handle = try FileHandle(forWritingTo: URL(filePath: copy))
        try handle.truncate(atOffset: UInt64(TeacherFile.size(header)))
        try handle.close()
        aside = copy
        throw Stopped()
      }
    }
    #expect(!FileManager.default.fileExists(atPath: path))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).allSatisfy { !$0.hasSuffix(".partial") })
    let left = try #require(aside)
    #expect(throws: CorpusError.self) { try TeacherFile(at: left) }
  }

  @Test func `a foreign, cut or damaged file is refused in words`() throws {
    let (path, _) = try written()
    let whole = Array(FileManager.default.contents(atPath: path)!)
    func refusal(_ bytes: [UInt8], reading: Bool = false) throws -> String {
      let path = try folder.write("b.teacher", bytes)
      do {
        let file = try TeacherFile(at: path)
        guard reading else { return "opened" }
        _ = try read(file, 0..<file.header.positions, most: 3)
        return "read"
      } catch let error as CorpusError { return error.description }
    }
    #expect(try refusal([]).contains("not a whole file of “foretop teach”"))
    #expect(try refusal(Array("a text, and no file of a teacher".utf8)).contains("not a whole file"))
    #expect(try refusal([UInt8](repeating: 0, count: whole.count)).contains("not a whole file"))
    #expect(try refusal(whole.dropLast()).contains("bytes instead of"))
    #expect(try refusal(whole + [0]).contains("bytes instead of"))
    var changed = whole
    changed[16] = 9
    #expect(try refusal(changed).contains("format"))
    for place in [21, 25, 40, 60] {
      changed = whole
      changed[place] ^= 1
      #expect(try refusal(changed).contains("damaged"), "byte \(place)")
    }
    for place in [4096, 4096 + 1024 * 12, whole.count - 1] {
      changed = whole
      changed[place] ^= 1
      #expect(try refusal(changed, reading: true).contains("damaged"), "byte \(place)")
    }
    #expect(try refusal(whole, reading: true) == "read")
  }

  @Test func `numbers that cannot be are refused though their checksum is right`() throws {
    let (path, _) = try written()
    let whole = Array(FileManager.default.contents(atPath: path)!)
    func damaged(_ change: (inout [UInt8]) -> Void) throws {
      var bytes = whole
      change(&bytes)
      let sum = TeacherFile.sum(bytes[4096..<4096 + 1024 * 12])
      withUnsafeBytes(of: sum) { bytes.replaceSubrange(4096 + 1024 * 12..<4096 + 1024 * 12 + 8, with: $0) }
      let path = try folder.write("c.teacher", bytes)
      let file = try TeacherFile(at: path)
      #expect(throws: CorpusError.self) { try read(file, 0..<10, most: 3) }
    }
    // A token outside of the vocabulary, one that comes twice, and a probability above 1.
    try damaged { $0[4096 + 12 + 1] = 1 }
    try damaged { $0.replaceSubrange(4096..<4098, with: $0[4098..<4100]) }
    try damaged { $0[4096 + 7] = 0x7C }
  }

  @Test func `a file about another text or tokenizer is refused`() throws {
    let (path, _) = try written()
    let file = try TeacherFile(at: path)
    let other = try Self.corpus("other.txt", seed: 2, in: folder)
    #expect {
      try file.check(for: other)
    } throws: { "\($0)".contains("another text") }
    let text = folder.path + "/text.txt"
    let characters = try Corpus(
      opening: Corpus.Source(paths: [text], kind: .characters, heldOut: 0.1, context: 16, cache: folder.cache))
    #expect {
      try file.check(for: characters)
    } throws: { "\($0)".contains("another tokenizer") }
  }
}
