// The names in run.h5, on which other programs rely, and the conversion of events to rows and back.
import Foundation
import Run
import Synchronization

enum FileLayout {
  static let format = "foretop-run"
  static let formatVersion: UInt64 = 1

  static let readme = """
    A training run of foretop. While it goes on, open it with h5py.File(path, "r", swmr=True); after it, with any HDF5 \
    tool. /metrics has one row a step, /heldout one an evaluation: rows past the shortest column, or without their \
    checksum in commit, do not exist. /samples has JSON texts: row i is bytes[end[i-1]:end[i]].
    """

  /// The place of an event that is not a step: the number of such events before it, and the number of rows in /metrics
  /// before it.
  struct Position: Equatable {
    var sequence: Int
    var row: Int
  }

  static let placeColumns = [
    Column("sequence", .unsigned64, "1", "number of events before this one, steps not counted"),
    Column("row", .unsigned64, "rows", "rows of /metrics before this event"),
  ]

  /// Columns of a table of JSON strings.
  static let textColumns =
    [
      Column("step", .unsigned64, "steps", "optimizer steps taken"),
      Column("time", .float64, "s", "wall clock, Unix time"),
    ] + placeColumns

  static let events = RecordFormat(
    parts: [
      .init("step", .whole), .init("time", .number), .init("sequence", .whole), .init("row", .whole),
      .init("kind", .text(12)), .init("key", .text(24)), .init("old", .number), .init("new", .number),
      .init("actor", .text(12)), .init("text", .text(412)),
    ], size: 512)

  static let sessions = RecordFormat(
    parts: [
      .init("start", .number), .init("end", .number), .init("pid", .whole), .init("host", .text(64)),
      .init("from", .whole), .init("step", .whole), .init("how", .text(16)), .init("sequence", .whole),
      .init("row", .whole),
    ], size: 256)

  static func record(_ occurrence: Occurrence, at place: Position) -> RecordFormat.Record {
    [
      "step": .whole(occurrence.step), "time": .number(occurrence.time), "sequence": .whole(place.sequence),
      "row": .whole(place.row), "kind": .text(occurrence.kind.rawValue), "key": .text(occurrence.key),
      "old": .number(occurrence.old ?? .nan), "new": .number(occurrence.new ?? .nan),
      "actor": .text(occurrence.actor.stored), "text": .text(occurrence.text),
    ]
  }

  /// Nil if a field has a value that this version does not know.
  static func occurrence(_ record: RecordFormat.Record) -> Occurrence? {
    guard let kind = Occurrence.Subject(rawValue: record.text("kind")),
      let actor = Occurrence.Actor(stored: record.text("actor"))
    else { return nil }
    let old = record.number("old")
    let new = record.number("new")
    return Occurrence(
      kind, step: record.whole("step"), time: record.number("time"), key: record.text("key"),
      old: old.isNaN ? nil : old, new: new.isNaN ? nil : new, actor: actor, text: record.text("text"))
  }

  static func place(_ record: RecordFormat.Record) -> Position {
    Position(sequence: record.whole("sequence"), row: record.whole("row"))
  }

  /// The row of a value that is stored as JSON.
  static func row(_ value: some Encodable, step: Int, time: Double, at place: Position) throws -> Table.Row {
    Table.Row(
      values: [Double(step), time, Double(place.sequence), Double(place.row)], payload: try StoredJSON.encoded(value))
  }

  static func place(_ row: Table.Row) -> Position {
    Position(sequence: Int(row.values.suffix(2).first ?? 0), row: Int(row.values.last ?? 0))
  }
}

extension FileLayout {
  /// Columns that tell how long something took, or what was counted since a session began, which no replay repeats.
  private static func isTime(_ path: String) -> Bool {
    ["time", "active", "throughput", "seconds", "sequence", "row"].contains(path) || path.hasPrefix("phase/")
      || ["used", "entropy", "dead", "most"].contains { path.hasPrefix("\(MemoryUse.columns)\($0)/") }
  }

  /// The first column in which a row that is computed again is not the stored one, bit by bit; nil where both are the same.
  static func difference(_ columns: [Column], _ new: [Double], _ old: [Double]) -> (
    path: String, new: Double, old: Double
  )? {
    for (column, (new, old)) in zip(columns, zip(new, old)) where !isTime(column.path) {
      let new = column.stored(new)
      if new.bitPattern != old.bitPattern && !(new.isNaN && old.isNaN) { return (column.path, new, old) }
    }
    return nil
  }
}

extension Table.Row {
  /// The same row with a new count of the rows of /metrics before it. For tables whose last columns are a place.
  func placed(_ place: (Int) -> Int) -> Table.Row {
    var row = self
    if let last = row.values.last { row.values[row.values.count - 1] = Double(place(Int(last))) }
    return row
  }
}

/// A `Beginning` as stored in /beginnings: with the recipe as YAML, which later versions with more keys can read.
struct SessionStart: Codable {
  var name, recipe, precision, corpus: String
  var step, tokens, parameters, threads, vocabulary, trainingTokens, heldOutTokens: Int
  var time, unigramEntropy: Double
  var parent: ParentRun?
  var place: ComputingPlace?
  /// Nil in files of older foretops, and for one.
  var ranks: Int?

  init(_ beginning: Beginning) {
    name = beginning.name
    recipe = beginning.recipe.yaml
    precision = beginning.precision
    corpus = beginning.corpus
    step = beginning.step
    tokens = beginning.tokens
    parameters = beginning.parameters
    threads = beginning.threads
    vocabulary = beginning.vocabulary
    trainingTokens = beginning.trainingTokens
    heldOutTokens = beginning.heldOutTokens
    time = beginning.time
    unigramEntropy = beginning.unigramEntropy
    parent = beginning.parent
    place = beginning.place
    ranks = beginning.ranks == 1 ? nil : beginning.ranks
  }

  /// - Parameter source: the file, for errors in the recipe.
  static func beginning(_ payload: [UInt8], source: String) throws -> Beginning {
    let what = "/beginnings in \(source)"
    let start = try StoredJSON.decoded(SessionStart.self, payload, what)
    var beginning = Beginning(
      name: start.name, recipe: try recipe(start.recipe, source: what), step: start.step, tokens: start.tokens,
      time: start.time, parameters: start.parameters, threads: start.threads, precision: start.precision,
      corpus: start.corpus, vocabulary: start.vocabulary, trainingTokens: start.trainingTokens,
      heldOutTokens: start.heldOutTokens, unigramEntropy: start.unigramEntropy)
    (beginning.parent, beginning.place) = (start.parent, start.place)
    beginning.ranks = start.ranks ?? 1
    return beginning
  }

  /// The recipe that was read last: the sessions of a run mostly have the same, and a screen reads it every second.
  private static let newest = Mutex<(text: String, recipe: Recipe)?>(nil)

  private static func recipe(_ text: String, source: String) throws -> Recipe {
    if let known = newest.withLock({ $0 }), known.text == text { return known.recipe }
    let recipe = try Recipe(yaml: text, source: source)
    newest.withLock { $0 = (text, recipe) }
    return recipe
  }
}

/// Codable values as JSON that preserves every number, including infinities and NaN.
enum StoredJSON {
  static func encoded(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(value))
  }

  /// - Parameter what: the place of the JSON, for the error.
  static func decoded<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8], _ what: String) throws -> Value {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    do {
      return try decoder.decode(type, from: Data(bytes))
    } catch {
      throw UserError(.data, "\(what) cannot be understood: \(Self.reason(error))")
    }
  }

  private static func reason(_ error: any Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    switch error {
    case .keyNotFound(let key, _): return "“\(key.stringValue)” is missing"
    case .typeMismatch(_, let place), .valueNotFound(_, let place), .dataCorrupted(let place):
      let path = place.codingPath.map(\.stringValue).joined(separator: ".")
      return path.isEmpty ? place.debugDescription : "“\(path)”: \(place.debugDescription)"
    @unknown default: return "\(error)"
    }
  }
}
