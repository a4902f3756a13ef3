// An experiment: a base recipe, named settings and seeds. Each combination is a cell, an ordinary run.
import Run

/// The content of a file in experiments/.
package struct ExperimentFile: Sendable, Equatable {
  /// A change of a recipe key.
  package struct Assignment: Sendable, Equatable {
    package var key: String
    /// The value, as after `--set KEY=`.
    package var text: String

    package init(_ key: String, _ text: String) {
      (self.key, self.text) = (key, text)
    }
  }

  /// A setting, which is a row of the table: a name, and the changes in the recipe.
  package struct ExperimentSetting: Sendable, Equatable {
    package var name: String
    package var changes: [Assignment]

    package init(_ name: String, _ changes: [Assignment]) {
      self.name = name
      self.changes = changes
    }
  }

  /// The experiment's name, which is also that of its folder in runs/.
  package var name: String
  /// A name in recipes/, or a path to a YAML file.
  package var recipe: String
  /// Changes in the recipe of every cell.
  package var changes: [Assignment] = []
  package var settings: [ExperimentSetting]
  package var seeds: [UInt64]
  /// Threads per cell; nil divides the machine's threads among the cells. Losses are bit-identical only with the same number.
  package var threads: Int?
  /// The table's metrics, which are numbers of evaluations; empty means the metric of `stop.until` and the held-out loss.
  package var metrics: [String] = []
  /// The name of the setting that the others are compared with; nil is the first.
  package var against: String?
  /// Whether these are some of the file's settings: numbers of the table that only others measure are left out.
  package var isPart = false

  package init(
    name: String, recipe: String, changes: [Assignment] = [], settings: [ExperimentSetting], seeds: [UInt64],
    threads: Int? = nil
  ) {
    self.name = name
    self.recipe = recipe
    self.changes = changes
    self.settings = settings
    self.seeds = seeds
    self.threads = threads
  }

  /// The largest number of cells in an experiment.
  package static let mostCells = 4096

  /// The cells with their recipes.
  /// - Parameters:
  ///   - base: the recipe that the file names.
  ///   - change: the command line's changes in every cell, made after those of the file.
  /// - Throws: `UserError` that names the setting whose recipe is not valid, or a number of the table that no cell measures.
  package func cells(of base: Recipe, changedBy change: (inout Recipe) throws -> Void = { _ in }) throws
    -> [ExperimentCell]
  {
    var cells: [ExperimentCell] = []
    for (index, setting) in settings.enumerated() {
      var recipe = base
      for assignment in changes + setting.changes {
        try recipe.set(assignment.key, to: assignment.text, source: "experiment \(name), setting \(setting.name)")
      }
      try change(&recipe)
      try recipe.validate(source: "experiment \(name), setting \(setting.name)")
      for seed in seeds {
        recipe.seed = seed
        cells.append(
          ExperimentCell(
            setting: index, name: "\(setting.name)-\(seed)", changes: changes + setting.changes, recipe: recipe))
      }
    }
    try requireMetrics(of: cells)
    try requireFairOrders(of: cells)
    return cells
  }

  /// Makes sure that every number of the table is measured in some cell: runs take hours, and their numbers cannot be had later.
  private func requireMetrics(of cells: [ExperimentCell]) throws {
    let names = cells.map { Evaluation.names($0.recipe) }
    let lacking = metrics.filter { name in !names.contains { $0.contains(name) } }
    guard let missing = lacking.first, !isPart || lacking.count == metrics.count else { return }
    var known: [String] = []
    for name in names.joined() where !known.contains(name) { known.append(name) }
    let meant = known.nearest(to: missing).map { "did you mean \($0)?" } ?? "they have \(known.joined(separator: ", "))"
    throw UserError(
      .data, "experiment \(name): metrics names \(missing.quotation), which evaluations of its runs lack; \(meant)")
  }

  /// The index of the setting that the others are compared with.
  package var base: Int { against.flatMap { name in settings.firstIndex { $0.name == name } } ?? 0 }

  /// The metrics of the table, given the cells' recipes.
  package func metrics(of cells: [ExperimentCell]) -> [String] {
    let names = cells.map { Evaluation.names($0.recipe) }
    guard metrics.isEmpty else {
      return isPart ? metrics.filter { name in names.contains { $0.contains(name) } } : metrics
    }
    let until = cells.compactMap { (try? StopRule($0.recipe))?.condition?.metric }
    let shared = names[0].filter { name in names.allSatisfy { $0.contains(name) } }
    let losses = shared.filter { $0.hasPrefix("held-out/") && !until.contains($0) }.prefix(1)
    return Array(until.prefix(1)) + losses
  }
}

/// A run of an experiment.
package struct ExperimentCell: Sendable, Equatable {
  /// The index of the cell's setting.
  package var setting: Int
  /// The run's name: `SETTING-SEED`.
  package var name: String
  /// The file's changes in the base recipe.
  package var changes: [ExperimentFile.Assignment]
  /// The recipe, with the cell's seed.
  package var recipe: Recipe
}
