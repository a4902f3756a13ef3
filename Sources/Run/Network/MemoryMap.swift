// Coarse pictures of how the tables of memory layers are used: an event of each evaluation, whose size does not grow with tables.

/// How the tables of a network were used since the evaluation before.
package struct MemoryMap: Codable, Sendable, Equatable {
  package var step: Int
  /// Steps whose picks were counted: those since the evaluation before, or since this session began.
  package var steps: Int
  package var layers: [Layer]

  /// A row of a table, by its two keys, and its share of the picks.
  package struct UsedRow: Codable, Sendable, Equatable {
    package var row: Int
    package var column: Int
    package var share: Float
  }

  /// One table.
  package struct Layer: Codable, Sendable, Equatable {
    /// The block that has it: `block-0`, `mtp-2`.
    package var name: String
    /// n: the table has n² rows.
    package var keys: Int
    /// Cells of the map a side.
    package var side: Int
    /// [side, side]: how often a cell's rows were picked, in per cent of even use.
    package var cells: [Int]
    /// Rows by how often they were picked, in equal parts: each part's share of the picks.
    package var ranks: [Float]
    /// The most used rows.
    package var first: [UsedRow]
  }

  package init(step: Int, steps: Int, layers: [Layer]) {
    self.step = step
    self.steps = steps
    self.layers = layers
  }

  /// Cells of all maps together, at most: some 16 KiB an evaluation in run.h5.
  private static let mostCells = 4096
  private static let mostSide = 32
  private static let mostParts = 20
  private static let mostRows = 5

  /// - Parameters:
  ///   - counts: of each table.
  ///   - groups: the blocks that have them.
  package init(step: Int, counts: [TableCounts], of groups: [TensorGroup]) {
    let room = Int(Double(Self.mostCells / max(1, counts.count)).squareRoot())
    self.init(
      step: step, steps: counts.first?.steps ?? 0,
      layers: zip(counts, groups).map { counts, group in
        let side = max(1, min(Self.mostSide, counts.keys, room))
        return Layer(
          name: group.name, keys: counts.keys, side: side, cells: counts.cells(side: side),
          ranks: counts.ranks(parts: min(Self.mostParts, counts.picks.count)), first: counts.first(Self.mostRows))
      })
  }
}

// MARK: As JSON

extension MemoryMap {
  /// `{"event":"memory",…}`.
  var object: JSON {
    .object([
      JSON.Member("event", .text("memory")), JSON.Member("step", .integer(step)), JSON.Member("steps", .integer(steps)),
      JSON.Member("layers", .array(layers.map(\.object))),
    ])
  }

  /// - Throws: `UserError` that names the key whose value is missing or wrong.
  init(_ object: JSON) throws(UserError) {
    guard let step = object["step"]?.whole else { throw EventReader.fault("step") }
    guard let steps = object["steps"]?.whole else { throw EventReader.fault("steps") }
    guard let all = object["layers"]?.elements else { throw EventReader.fault("layers") }
    var layers: [Layer] = []
    for layer in all { layers.append(try Layer(layer)) }
    self.init(step: step, steps: steps, layers: layers)
  }
}

extension MemoryMap.Layer {
  fileprivate var object: JSON {
    .object([
      JSON.Member("name", .text(name)), JSON.Member("keys", .integer(keys)), JSON.Member("side", .integer(side)),
      JSON.Member("cells", .array(cells.map(JSON.integer))), JSON.Member("ranks", .array(ranks.map(JSON.float))),
      JSON.Member(
        "first",
        .objects(first) { row in
          [
            JSON.Member("row", .integer(row.row)), JSON.Member("column", .integer(row.column)),
            JSON.Member("share", .float(row.share)),
          ]
        }),
    ])
  }

  fileprivate init(_ object: JSON) throws(UserError) {
    func whole(_ key: String, in object: JSON) throws(UserError) -> Int {
      guard let value = object[key]?.whole else { throw EventReader.fault(key) }
      return value
    }
    func elements(_ key: String) throws(UserError) -> [JSON] {
      guard let value = object[key]?.elements else { throw EventReader.fault(key) }
      return value
    }
    guard let name = object["name"]?.string else { throw EventReader.fault("name") }
    var first: [MemoryMap.UsedRow] = []
    for row in try elements("first") {
      guard let share = row["share"]?.number else { throw EventReader.fault("share") }
      first.append(
        MemoryMap.UsedRow(row: try whole("row", in: row), column: try whole("column", in: row), share: Float(share)))
    }
    self.init(
      name: name, keys: try whole("keys", in: object), side: try whole("side", in: object),
      cells: try elements("cells").compactMap(\.whole),
      ranks: try elements("ranks").compactMap { $0.number.map { Float($0) } },
      first: first)
    guard (1...1024).contains(side), cells.isEmpty || cells.count == side * side else {
      throw EventReader.fault("cells")
    }
  }
}
