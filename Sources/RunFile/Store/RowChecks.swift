// Checks the consistency of a run's rows: steps ascend, no event is there twice, every JSON string can be read.
import CHDF5
import Foundation
import Run

/// The consistency checks of a run's rows.
struct RowChecks {
  private let store: Store
  private(set) var problems: [String] = []
  /// The problems that neither damage nor a crash can cause: foretop did not write such rows.
  private(set) var contradictions: [String] = []
  private(set) var notes: [String] = []
  /// Number of rows and records with a wrong checksum.
  private(set) var damaged = 0
  private(set) var holds = ""
  /// The place of each numbered event.
  private var places: [Int: String] = [:]

  init(_ store: Store) { self.store = store }

  mutating func examine() throws {
    let steps = try examineSteps()
    try examineTexts()
    try examineNumbers(rows: store.metrics.count)
    let recipe = try Dataset(opening: "/recipe/yaml", in: store.file)
    var yaml = [UInt8](repeating: 0, count: try recipe.count())
    try recipe.read(into: &yaml, of: h5_u8(), at: 0, count: yaml.count)
    // Each stands for the other: the text has no checksum of its own.
    if let first = try store.beginnings.rows().first ?? nil,
      let began = try? StoredJSON.decoded(SessionStart.self, first.payload, "/beginnings"),
      !began.recipe.utf8.elementsEqual(yaml)
    {
      problems.append("/recipe/yaml is not the recipe that the run began with")
    } else {
      let heads = try Recipe(yaml: String(decoding: yaml, as: UTF8.self), source: "/recipe/yaml").heads
      if heads != store.heads { contradict("/recipe/yaml has other heads than /metrics/loss") }
    }
    holds = "\(steps) steps, \(places.count) events"
  }

  mutating func contradict(_ problem: String) {
    problems.append(problem)
    contradictions.append(problem)
  }

  /// Checks that steps and tokens ascend, and that every step has a plausible time.
  /// - Returns: the number of steps.
  private mutating func examineSteps() throws -> Int {
    var count = 0
    var before: [Double]?
    try store.metrics.forEachBlock { block in
      for index in 0..<block.count {
        guard block.isWhole[index] else {
          damaged += 1
          continue
        }
        let after = (0..<4).map { block.columns[$0][index] }
        examine(after, behind: before)
        before = after
        count += 1
      }
    }
    return count
  }

  /// The most sentences of a kind: a malicious file could have millions of faults.
  private static let most = 1000

  private mutating func examine(_ after: [Double], behind before: [Double]?) {
    guard contradictions.count < Self.most, notes.count < Self.most else { return }
    if !StoredRun.isTime(after[2]) || !StoredRun.isTime(after[3]) {
      contradict("step \(Int(after[0])) has the implausible time \(after[2]) after \(after[3]) s of training")
    }
    guard let before else { return }
    if after[0] <= before[0] {
      contradict("step \(Int(after[0])) follows step \(Int(before[0])) in /metrics")
    } else if after[0] > before[0] + 1 {
      notes.append("there are no rows for the steps between \(Int(before[0])) and \(Int(after[0]))")
    }
    if after[1] < before[1] { contradict("fewer tokens were seen at step \(Int(after[0])) than a step before") }
  }

  /// Checks that every JSON string has the type that its table requires.
  private mutating func examineTexts() throws {
    try each(store.beginnings) { _ = try SessionStart.beginning($0, source: RunFolder.fileName) }
    try each(store.texts) { _ = try StoredJSON.decoded(TextSample.self, $0, "/samples/text") }
    if let maps = store.maps {
      try each(maps) { _ = try StoredJSON.decoded(MemoryMap.self, $0, Store.mapGroup) }
    }
    try each(store.orders) { _ = try StoredJSON.decoded(OrderSample.self, $0, "/samples/order") }
  }

  private mutating func each(_ table: Table, _ read: ([UInt8]) throws -> Void) throws {
    for (index, row) in try table.rows().enumerated() {
      guard let row else { continue }
      do { try read(row.payload) } catch { contradict("row \(index) of \(table.group): \(error)") }
    }
  }

  /// Checks that every event has a unique number, and a valid place among the steps.
  private mutating func examineNumbers(rows: Int) throws {
    for table in store.placedTables {
      for row in try table.rows() {
        if let row { take(FileLayout.place(row), table.group, rows) } else { damaged += 1 }
      }
    }
    for record in try store.events.records() {
      guard let record else {
        damaged += 1
        continue
      }
      take(FileLayout.place(record), "/events", rows)
      if FileLayout.occurrence(record) == nil {
        contradict("an event is of an unknown kind: “\(record.text("kind"))”")
      }
    }
    // A session gets its number when it ends.
    for record in try store.sessions.records() {
      guard let record else {
        damaged += 1
        continue
      }
      if Ending.Reason(rawValue: record.text("how")) != nil { take(FileLayout.place(record), "/sessions", rows) }
    }
  }

  private mutating func take(_ place: FileLayout.Position, _ group: String, _ rows: Int) {
    if let other = places[place.sequence] {
      contradict("event \(place.sequence) is in \(group) and in \(other)")
    }
    places[place.sequence] = group
    if place.row > rows {
      problems.append("event \(place.sequence) in \(group) comes after \(place.row) steps, and there are \(rows)")
    }
  }
}
