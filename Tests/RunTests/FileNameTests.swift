// Names of files as text, there and back.
import Run
import Testing

@Suite struct FileNameTests {
  @Test(
    arguments: [
      Array("plain.txt".utf8), Array("naïve – 漢字".utf8), [0xE9], Array("caf".utf8) + [0xE9, 0x2E] + Array("txt".utf8),
      [0xFF, 0xFE],
      [0xC3], [0xC3, 0x28], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], Array("\u{10FEE9}".utf8),
      [0xE9] + Array("\u{10FEFF}é".utf8), [],
      Array("e\u{301}".utf8) + [0x80],
    ] as [[UInt8]])
  func `every name comes back as it was`(name: [UInt8]) {
    let text = String(fileName: name)
    #expect(text.fileNameBytes == name)
    #expect(text.withFileName { pointer in (0..<name.count).map { UInt8(bitPattern: pointer[$0]) } } == name)
    #expect(text.withFileName { $0[name.count] } == 0)
  }

  @Test func `an argument keeps every character that it has`() {
    let text = "\u{10FEE9} \u{F00E9}"
    #expect(String(fileName: Array(text.utf8), isText: true) == text)
    #expect(String(fileName: Array("\u{10FEE9}".utf8) + [0xE9], isText: true) == "\u{10FEE9}\u{10FEE9}")
  }

  @Test func `two names never have the same text`() {
    let names: [[UInt8]] = [[0xE9], Array("\u{10FEE9}".utf8), Array("é".utf8), Array("\\xE9".utf8)]
    #expect(Set(names.map { String(fileName: $0) }).count == names.count)
  }

  @Test func `a person sees which bytes are no text`() {
    #expect(String(fileName: Array("caf".utf8) + [0xE9] + Array(".txt".utf8)).showingFileNames == "caf\\xE9.txt")
    #expect("é.txt".showingFileNames == "é.txt")
  }
}
