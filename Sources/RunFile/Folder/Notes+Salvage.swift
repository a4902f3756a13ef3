// Recovers notes and tags from files that libhdf5 cannot open: each is a record with its own checksum.
import Foundation
import Run

extension Notes {
  /// The notes and tags found in the remains of a run's files, oldest first; without those in notes.jsonl, which stay
  /// there.
  static func salvaged(_ folder: String) -> [Occurrence] {
    var found = records(in: RunFolder(folder).before) + records(in: RunFolder(folder).file)
    if let entries = try? JournalContents(RunFolder(folder).journal) {
      found += entries.records[Journal.Number.events] ?? []
    }
    var known = Set(waiting(folder).map(identity))
    return found.compactMap(FileLayout.occurrence).filter { note in
      note.annotation.map { (try? $0.checked(note.text)) != nil } == true && StoredRun.isTime(note.time)
        && known.insert(identity(note)).inserted
    }.sorted { $0.time < $1.time }
  }

  /// Bytes per window of the search.
  private static let window = 1 << 20
  /// The most record numbers that are tried for a record's checksum.
  private static let mostRecords = 1 << 16

  /// The undamaged records of notes and tags anywhere in a file.
  private static func records(in path: String) -> [RecordFormat.Record] {
    guard let file = try? FileDescriptor(opening: path, O_RDONLY), (try? file.requireStored()) != nil,
      let size = try? file.size()
    else { return [] }
    let format = FileLayout.events
    let kind = format.parts.prefix { $0.name != "kind" }.reduce(0) { $0 + $1.size }
    let pattern = Array(Occurrence.Subject.notice.rawValue.utf8) + [0]
    var records: [RecordFormat.Record] = []
    for start in stride(from: 0, to: size, by: window) {
      guard let bytes = try? file.read(at: start, count: window + format.size) else { break }
      var place = 0
      while place < window, place + format.size <= bytes.count {
        defer { place += 1 }
        guard bytes[place + kind] == pattern[0], bytes[(place + kind)...].starts(with: pattern) else { continue }
        if let record = record(Array(bytes[place..<place + format.size])) { records.append(record) }
      }
    }
    return records
  }

  /// A record whose number in the file is unknown: numbers up to `mostRecords` are tried.
  private static func record(_ bytes: [UInt8]) -> RecordFormat.Record? {
    let sequence = bytes[16..<24].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    for index in 0...Int(min(sequence, UInt64(mostRecords))) {
      guard let record = FileLayout.events.decoded(bytes, at: index) else { continue }
      return Annotation(rawValue: record.text("key")) == nil ? nil : record
    }
    return nil
  }
}
