// The table of how memory layers are used, which runs with memory layers have from the beginning on, and their columns.
import Run

extension Store {
  /// The group of the table.
  static let mapGroup = "/samples/memory"

  /// The blocks with a memory layer that a file has columns for.
  static func memories(in file: File) throws -> [TensorGroup] {
    let folder = "/heldout/\(MemoryUse.columns)output"
    guard try HDF5Group.has(folder, in: file) else { return [] }
    let groups = try HDF5Group.names(in: folder, of: file).compactMap(TensorGroup.init(name:))
    // Blocks first, then those of MTP heads.
    return groups.sorted { $0.order < $1.order }
  }

  /// Whether a run that begins with this recipe has maps and columns of memory layers.
  /// - Parameter missing: what is left out, since an older foretop began the run without it.
  static func hasMaps(_ recipe: Recipe, without missing: Set<String>) -> Bool {
    recipe.model.memory.keys > 0 && !missing.contains(mapGroup)
  }

  /// What evaluations have in such a run.
  static func content(_ recipe: Recipe, without missing: Set<String>) -> EvaluationContent {
    var content = recipe.evaluationContent
    if !hasMaps(recipe, without: missing) { content.memories = [] }
    return content
  }

  /// Whether evaluations in a journal have so many values because they lack the columns of memory layers.
  static func lacksMaps(_ evaluations: Int?, of recipe: Recipe, without gradients: Int) -> Bool {
    guard let evaluations, !recipe.memoryGroups.isEmpty else { return false }
    let count = Metric.ofEvaluations(content(recipe, without: [mapGroup])).count + FileLayout.placeColumns.count
    return evaluations == count || evaluations == count - gradients
  }

  /// The tables of JSON texts whose rows have a place among the events.
  var placedTables: [Table] { [heldout, texts, orders, beginnings] + [maps].compactMap { $0 } }
}

extension TensorGroup {
  /// The place of a block among all blocks.
  fileprivate var order: Int {
    switch self {
    case .block(let number): number
    case .furtherHead(let number): 1 << 32 + number
    case .tables, .heads, .memory: 1 << 48
    }
  }
}
