// The tables that a SentencePiece model changes characters by: those that would lead the library out of its memory are found.
import Testing

@testable import Corpus

@Suite struct CharacterMapTests {
  /// A table whose trie has these units first, in a block of 256, and then the texts.
  private func table(_ units: [UInt32], texts: [UInt8] = Array("a".utf8) + [0]) -> [UInt8] {
    let all = units + [UInt32](repeating: 0, count: 256 - units.count)
    return ([1024] + all).flatMap { unit in (0..<4).map { UInt8(truncatingIfNeeded: unit >> (8 * $0)) } } + texts
  }

  @Test func `a table that stays within itself is sound, and so is none`() {
    #expect(CharacterMap.isSound([]))
    #expect(CharacterMap.isSound(table([])))
    // A unit with a leaf beside it, whose value is the first text.
    #expect(CharacterMap.isSound(table([1 << 10 | 1 << 8, 1 << 31])))
  }

  @Test func `a step out of the trie, a text out of the texts, and a text without an end are found`() {
    #expect(!CharacterMap.isSound(table([256 << 10])))
    #expect(!CharacterMap.isSound(table([1 << 10 | 1 << 9])), "the offset is shifted by eight bits")
    #expect(!CharacterMap.isSound(table([1 << 10 | 1 << 8, 1 << 31 | 2])))
    #expect(!CharacterMap.isSound(table([], texts: Array("a".utf8))))
  }

  @Test func `a table that is cut short, or says so of itself, is found`() {
    let whole = table([])
    for count in [1, 4, 5, 1028] { #expect(!CharacterMap.isSound(Array(whole.prefix(count))), "\(count) bytes") }
    #expect(!CharacterMap.isSound([0, 8, 0, 0] + whole.dropFirst(4)))
    #expect(!CharacterMap.isSound([1, 4, 0, 0] + whole.dropFirst(4)))
    #expect(!CharacterMap.isSound([0xFF, 0xFF, 0xFF, 0xFF] + whole.dropFirst(4)))
  }
}
