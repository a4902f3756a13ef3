// An open run.h5 with all its tables. The recorder appends to it; `StoredRun` reads from it.
import CHDF5
import Foundation
import Run

final class Store {
  let file: File
  let heads: [Head]
  /// The parts of the network whose gradients evaluations have.
  let groups: [TensorGroup]
  let stepMetrics: [Metric<StepReport>]
  let evaluationMetrics: [Metric<Evaluation>]
  let metrics, heldout, texts, orders: Table
  /// How the tables of memory layers are used; nil in runs that began without.
  let maps: Table?
  /// The beginning of each session as JSON, including the recipe.
  let beginnings: Table
  let events, sessions: EventTable
  /// The overview of /metrics, made when first needed; its value is nil if an older foretop wrote the file.
  var pyramid: Overview??
  /// The size up to which room on the disk is reserved.
  var reserved = 0

  var tables: [Table] { [metrics] + placedTables }
  var eventTables: [EventTable] { [events, sessions] }

  /// The tables, with their numbers in the journal.
  var numberedTables: [(UInt8, Table)] {
    [
      (Journal.Number.metrics, metrics), (Journal.Number.heldout, heldout), (Journal.Number.texts, texts),
      (Journal.Number.orders, orders), (Journal.Number.beginnings, beginnings),
    ] + (maps.map { [(Journal.Number.maps, $0)] } ?? [])
  }
  var numberedEventTables: [(UInt8, EventTable)] {
    [(Journal.Number.events, events), (Journal.Number.sessions, sessions)]
  }

  /// Attaches a journal, into which everything is written first from now on.
  func attach(_ journal: Journal) {
    for (number, table) in numberedTables {
      table.journal = journal
      table.number = number
    }
    for (number, table) in numberedEventTables {
      table.journal = journal
      table.number = number
    }
  }

  /// Creates run.h5 under a temporary name with all datasets, and allows readers. `publish` renames it.
  /// - Parameter missing: optional columns to leave out, since an older foretop began the run without them.
  static func create(_ path: String, beginning: Beginning, without missing: Set<String> = []) throws -> Store {
    try FileDescriptor.requireRoom(4 << 20, at: RunFolder.unfinished(path))
    return try fill(File(creatingLive: RunFolder.unfinished(path)), beginning, without: missing)
  }

  /// Creates the file only in memory.
  static func createInMemory(_ path: String, beginning: Beginning, without missing: Set<String>) throws -> Store {
    try fill(File(creatingLive: path, inMemory: true), beginning, without: missing)
  }

  /// Creates a file that HDF5 1.8 and later can open, without concurrent readers.
  /// - Parameter store: the file whose columns the new one gets.
  static func createPlain(_ path: String, beginning: Beginning, like store: Store) throws -> Store {
    try FileDescriptor.requireRoom(8 << 20, at: path)
    return try fill(File(creatingPlain: path), beginning, isLive: false, without: store.missing)
  }

  /// Optional columns that the file lacks, since an older foretop began the run.
  var missing: Set<String> {
    Self.optional(heads, groups).subtracting(stepMetrics.map { "/metrics/" + $0.path })
      .subtracting(evaluationMetrics.map { "/heldout/" + $0.path }).union(maps == nil ? [Self.mapGroup] : [])
  }

  /// Columns that runs of older foretops lack.
  private static func optional(_ heads: [Head], _ groups: [TensorGroup]) -> Set<String> {
    let evaluations = Metric.ofEvaluations(EvaluationContent(heads: heads, groups: groups))
    return Set(
      Metric.ofSteps(heads: heads).filter(\.isOptional).map { "/metrics/" + $0.path }
        + evaluations.filter(\.isOptional).map { "/heldout/" + $0.path })
  }

  /// The optional columns that a run lacks, derived from the number of values in its journal's rows.
  /// - Parameters:
  ///   - steps: values of a step; nil where the journal has none.
  ///   - evaluations: values of an evaluation, with its place among the events; nil where the journal has none.
  static func missing(steps: Int?, evaluations: Int?, of recipe: Recipe) -> Set<String> {
    let all = Metric.ofSteps(heads: recipe.heads, isShaped: recipe.shapesNextToken).map { "/metrics/" + $0.path }
    let weights = all.filter { $0.hasPrefix("/metrics/weight/") }
    // A run that began with plain cross-entropy may have been resumed with another loss. It has weights.
    let shaped = all.filter { $0.hasPrefix("/metrics/trained/") || $0.hasPrefix("/metrics/entropy/") }
    if !shaped.isEmpty, steps == all.count - shaped.count { return Set(shaped) }
    let isWithoutMaps = lacksMaps(
      evaluations, of: recipe, without: recipe.heads.count + 2 * recipe.tensorGroups.count)
    let held = Metric.ofEvaluations(content(recipe, without: isWithoutMaps ? [mapGroup] : []))
      .map { "/heldout/" + $0.path }
    let gradients = held.filter { path in
      ["gradient", "gradient-at-h", "update"].contains { path.hasPrefix("/heldout/\($0)/") }
    }
    let isWithoutWeights = steps == all.count - weights.count
    // A run without weights is older than the gradients.
    let isWithoutGradients =
      evaluations.map { $0 == held.count + FileLayout.placeColumns.count - gradients.count } ?? isWithoutWeights
    return Set(
      (isWithoutWeights ? weights : []) + (isWithoutGradients ? gradients : []) + (isWithoutMaps ? [mapGroup] : []))
  }

  /// The parts of the network whose gradients a file has columns for.
  private static func groups(in file: File) throws -> [TensorGroup] {
    func has(_ group: TensorGroup) throws -> Bool { try HDF5Group.has("/heldout/gradient/\(group.name)", in: file) }
    var blocks = 0
    while try has(.block(blocks)) { blocks += 1 }
    let further = try Head.all.indices.map(TensorGroup.furtherHead).filter(has)
    return try [.tables].filter(has) + (0..<blocks).map(TensorGroup.block) + further + [.heads].filter(has)
  }

  /// The numbers of diagnostics that a file has columns for.
  private static func diagnostics(in file: File) throws -> [DiagnosticNumber] {
    try DiagnosticKind.all.flatMap { kind -> [DiagnosticNumber] in
      let folder = "/heldout/\(kind.name)"
      guard try HDF5Group.has(folder, in: file) else { return [] }
      // Groups that are plotted have the steps under a second name.
      return try HDF5Group.names(in: folder, of: file).filter { $0 != "step" }
        .map { DiagnosticNumber("\(kind.name)/\($0)") }
    }
  }

  /// Tokens of the path of star graphs that a file has columns for; 0 for text.
  private static func pathLength(in file: File) throws -> Int {
    guard try HDF5Group.has("/heldout/accuracy/path", in: file) else { return 0 }
    var length = 1
    while try HDF5Group.has("/heldout/accuracy/path-\(length)", in: file) { length += 1 }
    return length
  }

  private static func fill(
    _ file: File, _ beginning: Beginning, isLive: Bool = true, without missing: Set<String>
  ) throws -> Store {
    do {
      return try Store(filling: file, beginning, isLive: isLive, without: missing)
    } catch {
      // Closing a file that could not be written may end the process.
      file.abandon()
      throw error
    }
  }

  private init(filling file: File, _ beginning: Beginning, isLive: Bool, without missing: Set<String>) throws {
    self.file = file
    heads = beginning.recipe.heads
    groups = beginning.recipe.tensorGroups
    stepMetrics = Metric.ofSteps(heads: heads, isShaped: beginning.recipe.shapesNextToken).filter {
      !missing.contains("/metrics/" + $0.path)
    }
    let hasMaps = Self.hasMaps(beginning.recipe, without: missing)
    evaluationMetrics = Metric.ofEvaluations(Self.content(beginning.recipe, without: missing)).filter {
      !missing.contains("/heldout/" + $0.path)
    }
    try Self.label(file, beginning)
    let folders =
      [
        "/recipe", "/metrics", "/heldout", "/samples", "/samples/text", "/samples/order", "/beginnings", "/overview",
      ] + (hasMaps ? [Self.mapGroup] : [])
    let inner =
      Set(stepMetrics.compactMap { Self.folder("/metrics/" + $0.path) }).sorted()
      + Set(evaluationMetrics.compactMap { Self.folder("/heldout/" + $0.path) }).sorted()
    for group in folders + inner.filter({ !folders.contains($0) }) { try HDF5Group.create(group, in: file) }

    let yaml = try Dataset(creating: "/recipe/yaml", of: h5_u8(), chunk: 4096, in: file)
    try HDF5Group.set("units", "1", on: "/recipe/yaml", in: file)
    try HDF5Group.set("long_name", "the recipe the run began with, as YAML in UTF-8", on: "/recipe/yaml", in: file)
    let text = Array(beginning.recipe.yaml.utf8)
    try yaml.resize(to: text.count)
    try yaml.write(text, of: h5_u8(), at: 0, count: text.count)

    (metrics, heldout, texts, orders, beginnings) = try Self.tables(stepMetrics, evaluationMetrics) {
      try Table(creating: $0, columns: $1, hasPayload: $2, in: file)
    }
    maps =
      hasMaps ? try Table(creating: Self.mapGroup, columns: FileLayout.textColumns, hasPayload: true, in: file) : nil
    pyramid = try Overview(creating: metrics, in: file)
    events = try EventTable(
      creating: "/events", FileLayout.events, longName: "the run's log", in: file)
    sessions = try EventTable(
      creating: "/sessions", FileLayout.sessions,
      longName: "from each start of the program to its end; an empty how: not ended, or killed", in: file)
    try Self.labelPlots(file, inner)
    try file.flush()
    guard isLive, !file.isInMemory else { return }
    try reserve()
    try file.startLive()
    try file.flush()
  }

  /// Renames a created file to its final name.
  func publish() throws {
    let path = RunFolder.finished(file.path)
    try FileSystem.rename(file.path, path)
    file.path = path
  }

  /// Opens run.h5.
  init(opening path: String, _ how: Opening) throws {
    let file = try File(opening: path, how)
    self.file = file
    guard try HDF5Group.text("format", on: "/", in: file) == FileLayout.format else {
      throw UserError(
        .data, "\(path) is not a run file of foretop: its attribute “format” is not “\(FileLayout.format)”")
    }
    let version = try HDF5Group.number("formatVersion", on: "/", in: file) ?? 0
    guard version == FileLayout.formatVersion else {
      throw UserError(
        .data,
        "\(path) has format version \(version), but this foretop reads \(FileLayout.formatVersion): use the foretop "
          + "that wrote the file"
      )
    }
    heads = try Head.all.filter { try HDF5Group.has("/metrics/loss/\($0.name)", in: file) }
    groups = try Self.groups(in: file)
    // A live file takes no new columns: a run keeps the ones that it began with, and what came later is not stored.
    stepMetrics = try Metric.ofSteps(heads: heads).filter {
      try !$0.isOptional || HDF5Group.has("/metrics/" + $0.path, in: file)
    }
    let content = try EvaluationContent(
      heads: heads, path: Self.pathLength(in: file), hasTask: HDF5Group.has("/heldout/task/accuracy", in: file),
      groups: groups, memories: Self.memories(in: file), diagnostics: Self.diagnostics(in: file))
    evaluationMetrics = try Metric.ofEvaluations(content).filter {
      try !$0.isOptional || HDF5Group.has("/heldout/" + $0.path, in: file)
    }
    (metrics, heldout, texts, orders, beginnings) = try Self.tables(stepMetrics, evaluationMetrics) {
      try Table(opening: $0, columns: $1, hasPayload: $2, in: file)
    }
    maps =
      try HDF5Group.has(Self.mapGroup, in: file)
      ? Table(opening: Self.mapGroup, columns: FileLayout.textColumns, hasPayload: true, in: file) : nil
    events = try EventTable(opening: "/events", FileLayout.events, in: file)
    sessions = try EventTable(opening: "/sessions", FileLayout.sessions, in: file)
  }

  /// The tables of a file with these metrics.
  /// - Parameter make: makes or opens one, from its group, its columns and whether rows have a payload.
  private static func tables(
    _ steps: [Metric<StepReport>], _ evaluations: [Metric<Evaluation>],
    make: (String, [Column], Bool) throws -> Table
  ) rethrows -> (metrics: Table, heldout: Table, texts: Table, orders: Table, beginnings: Table) {
    func texts(_ group: String) throws -> Table { try make(group, FileLayout.textColumns, true) }
    return (
      try make("/metrics", steps.map(Column.init), false),
      try make("/heldout", evaluations.map(Column.init) + FileLayout.placeColumns, false), try texts("/samples/text"),
      try texts("/samples/order"), try texts("/beginnings")
    )
  }

  /// When the run began: a precise time, which identifies the run in its other files. Nil if the file does not have it.
  var created: Double? { get throws { try HDF5Group.fraction("created", on: "/", in: file) } }

  /// Where a branch comes from; nil for a run that began by itself.
  var parent: ParentRun? {
    get throws {
      guard let name = try HDF5Group.text("parent", on: "/", in: file) else { return nil }
      let step = try HDF5Group.number("parentStep", on: "/", in: file) ?? 0
      return ParentRun(
        name: name, step: Int(clamping: step), created: try HDF5Group.fraction("parentCreated", on: "/", in: file),
        checkpoint: try HDF5Group.fraction("checkpointCreated", on: "/", in: file), branched: try created ?? 0)
    }
  }

  /// What its checkpoints are recognised by.
  var identity: RunIdentity { get throws { RunIdentity(created: try created, parent: try parent) } }

  /// The paths of all datasets that are read, except the overview.
  var paths: [String] { ["/recipe/yaml"] + tables.flatMap(\.paths) + eventTables.map(\.path) }

  /// True if the file has the weights of the losses for every step.
  var hasWeights: Bool { stepMetrics.contains { $0.path.hasPrefix("weight/") } }

  /// The overview of /metrics; nil if the file has none.
  func overview() throws -> Overview? {
    if let pyramid { return pyramid }
    try Sandbox.require(.overview(file.path))
    let opened = try HDF5Group.has("/overview/L1", in: file) ? try Overview(opening: metrics, in: file) : nil
    pyramid = .some(opened)
    return opened
  }
}
