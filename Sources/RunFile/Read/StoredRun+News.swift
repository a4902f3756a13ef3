// Reads the news of a run that another process writes: the events since the last look.
import Run

extension StoredRun {
  /// The place up to which a reader has read a run.
  package struct Bookmark: Sendable, Equatable {
    /// The last step.
    var step = 0
    /// The number of the next event that is not a step.
    var sequence = 0
  }

  /// What a screen reads of a run.
  package struct FollowedReading: Sendable {
    package let run: StoredRun
    package let events: [Event]
    /// The place from which `news` continues.
    package let bookmark: Bookmark
  }

  /// Opens a run, and reads the events that a screen begins with.
  package static func toFollow(_ folder: String) throws -> FollowedReading {
    try reading(folder) { run, store in
      FollowedReading(run: run, events: try run.history(store), bookmark: try run.bookmark(store))
    }
  }

  /// Opens a run, and reads the events since a bookmark, in order; the newest steps one by one.
  package static func news(_ folder: String, since bookmark: Bookmark) throws -> FollowedReading {
    try reading(folder) { run, store in
      var bookmark = bookmark
      return FollowedReading(run: run, events: try run.news(store, since: &bookmark), bookmark: bookmark)
    }
  }

  /// - Parameter bookmark: the reader's place; it is advanced.
  private func news(_ store: Store, since bookmark: inout Bookmark) throws -> [Event] {
    let weights = try weights(store)
    var happened: [(place: FileLayout.Position, event: Event)] = try happenings(store, weights).filter {
      // Notes that wait have no number yet: they come once they are in the file.
      $0.place.sequence >= bookmark.sequence && $0.place.sequence < 1 << 52
    }
    happened.sort { $0.place.sequence < $1.place.sequence }
    // A run that went on from an earlier step comes again from there.
    for case .began(let beginning) in happened.map(\.event) { bookmark.step = min(bookmark.step, beginning.step) }
    let first = try store.metrics.firstRow(from: Double(bookmark.step + 1))
    let start = max(first, store.metrics.count - Self.most)
    var events: [Event] = []
    var next = happened.startIndex
    for (index, report) in try reports(store, from: start, weights).enumerated() {
      while next < happened.endIndex, happened[next].place.row <= start + index {
        events.append(happened[next].event)
        next += 1
      }
      if let report { events.append(.stepped(report)) }
    }
    events += happened[next...].map(\.event)
    bookmark = try self.bookmark(store)
    return events
  }

  private func bookmark(_ store: Store) throws -> Bookmark {
    var bookmark = Bookmark(step: beginning.step)
    if let row = try store.metrics.rows(from: max(0, store.metrics.count - 1)).last ?? nil, let step = row.values.first
    {
      bookmark.step = max(bookmark.step, Int(step))
    }
    for table in store.placedTables {
      for row in try table.rows(from: max(0, table.count - 1)) {
        if let row { bookmark.sequence = max(bookmark.sequence, FileLayout.place(row).sequence + 1) }
      }
    }
    for table in [store.events, store.sessions] {
      for case let record? in try table.records(last: 1) {
        bookmark.sequence = max(bookmark.sequence, FileLayout.place(record).sequence + 1)
      }
    }
    return bookmark
  }
}
