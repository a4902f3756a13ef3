// Rules of the house that a reader would have to count: folders that a person can take in, and one type for one name.
import Foundation
import Testing

@Suite struct HouseTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private static func files(in folder: String) throws -> [URL] {
    let place = root.appending(path: folder)
    let found = try #require(FileManager.default.enumerator(at: place, includingPropertiesForKeys: nil))
    return found.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
  }

  @Test(arguments: ["Sources", "Tests"]) func `a folder has at most twenty files`(folder: String) throws {
    let files = try Self.files(in: folder)
    #expect(files.count > 50)
    for (place, members) in Dictionary(grouping: files, by: { $0.deletingLastPathComponent().path }) {
      #expect(members.count <= 20, "\(place) has \(members.count)")
    }
  }

  /// Rates, losses and times have one format each, which only `Figure` knows.
  @Test func `no number is written by a format of its own`() throws {
    for file in try Self.files(in: "Sources") where file.lastPathComponent != "Figure.swift" {
      let text = try String(contentsOf: file, encoding: .utf8)
      #expect(!text.contains("String(format:"), "\(file.path)")
    }
  }

  @Test func `a type's name stands once in the package`() throws {
    let declaration = try Regex(
      #"^\s*(?:@\w+ )*(?:(?:package|public|private|fileprivate|final|indirect) )*(?:struct|class|enum|actor|protocol) ([A-Z]\w*)"#,
      as: (Substring, Substring).self)
    var places: [Substring: Set<String>] = [:]
    for file in try Self.files(in: "Sources") {
      for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
        if let name = try declaration.firstMatch(in: line)?.output.1 { places[name, default: []].insert(file.path) }
      }
    }
    #expect(places.count > 300)
    for (name, files) in places { #expect(files.count == 1, "\(name): \(files.sorted())") }
  }
}
