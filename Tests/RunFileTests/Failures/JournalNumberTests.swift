// Journals whose checksums hold and whose numbers no training records: they are refused and named, and nothing is changed.
import Foundation
import Run
import RunFileTorture
import Support
import Testing

@testable import RunFile

extension RunFileTests {
  @Suite struct JournalNumbers {
    let scratch = ScratchFolder()

    /// Writes a journal anew, with another number in the row of step 30.
    private func change(_ path: String, table: UInt8, column: Int, to value: Double) throws {
      let reader = try #require(try JournalReader(path))
      var created: Double?
      var entries: [Journal.JournalEntry] = []
      var isChanged = false
      while let entry = try reader.next() {
        switch entry {
        case .run(let time): created = time
        case .row(table, var row) where !isChanged && (table != Journal.Number.metrics || row.values[0] == 30):
          row.values[column] = value
          entries.append(.row(table, row))
          isChanged = true
        default: entries.append(entry)
        }
      }
      try #require(isChanged)
      _ = try Journal(creating: path, of: created, with: entries)
    }

    private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

    @Test(arguments: [
      (Journal.Number.metrics, 0, Double.nan, "step"), (Journal.Number.metrics, 0, 1e300, "step"),
      (Journal.Number.metrics, 0, 30.5, "step"), (Journal.Number.metrics, 1, .nan, "tokens"),
      (Journal.Number.metrics, 1, -1, "tokens"), (Journal.Number.metrics, 2, .nan, "time"),
      (Journal.Number.metrics, 3, .infinity, "active"), (Journal.Number.heldout, 0, .nan, "step"),
      (Journal.Number.texts, 2, 1e300, "sequence"),
    ])
    func `a number that no training records is refused with its column, and nothing is changed`(
      table: UInt8, column: Int, value: Double, name: String
    ) throws {
      let folder = try scratch.killed("a")
      let journal = RunFolder(folder).journal
      try change(journal, table: table, column: column, to: value)
      let before = (try bytes(RunFolder(folder).file), try bytes(journal))
      for said in [
        sentence { try Recorder.recover(folder) }, sentence { _ = try StoredRun(opening: folder) },
        sentence { _ = try Recorder(resuming: folder, from: 0, beginning: Sample.beginning("a")) },
      ] {
        #expect(said.contains("of \(journal), at byte ") && said.hasPrefix("entry "), "\(said)")
        #expect(said.contains("in column \(name) of /") && said.contains("nothing was changed"), "\(said)")
      }
      #expect(try (bytes(RunFolder(folder).file), bytes(journal)) == before)
      let bad = try Verification(of: folder).checks.filter { !$0.problems.isEmpty }
      #expect(bad.map(\.name) == ["run.journal"], "\(bad)")
      // What the sentence says helps.
      try FileManager.default.removeItem(atPath: journal)
      try Recorder.recover(folder)
      #expect(try Verification(of: folder).isWhole)
      #expect(try StoredRun(opening: folder).summary().step == 60)
    }
  }
}
