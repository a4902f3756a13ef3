// foretop bench: measures this machine, and this program on it.
import ArgumentParser
import Benchmark
import Corpus
import Foundation
import Kernels
import Run
import Training

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measures speed and memory, and compares them with this machine's limits.",
    discussion: """
      Without a recipe, these sections are measured, or those of --only:

      \(HelpTable.text(sectionRows))

      With a recipe, whole training steps of that recipe are measured, and their parts. The tokens are made up, and the same every time. \
      Progress goes to standard error. Run the bench while nothing else runs; shares and ratios compare measurements of \
      the same rounds and depend less on other programs than tokens/s.
      """)

  private static let sectionRows = [
    ("limit", "the matrix products alone"),
    ("kernels", "each kernel, compared with memory bandwidth or the peak of multiply-adds"),
    ("steps", "whole training steps of the workload “small”: NTP, NTP + TOP and MTP-4"),
    ("parts", "the time of a step of “small” by part, each compared with its own limit"),
    ("reading", "prefill of 1000 tokens at once, compared with one token at a time"),
    ("decoding", "tokens written one after the other, compared with the memory bandwidth"),
    ("scaling", "tokens/s by context, width, rows, the length of a single row, threads and vocabulary"),
    ("memory", "peak memory"),
    ("memory-layer", "the table of a memory layer: reading rows and updating them, compared with the memory bandwidth"),
    ("table-updates", "the table's updates, streamed and lazy, for steps of few and of many tokens"),
    (
      "table-checkpoints",
      "the longest step, and the longest wait, while checkpoints with tables of 100 million numbers are written into --runs"
    ),
    (
      "recording",
      "how long metrics and a checkpoint of 100 million parameters delay training; writes into a folder in --runs"
    ),
    (
      "screen",
      "the screen: its cost in tokens/s, its delay after keys and commands, its output and its memory; trains in --runs"
    ),
  ]

  @Argument(help: ArgumentHelp("A recipe to measure: a name in recipes/ or a YAML file.", valueName: "recipe"))
  var recipe: String?

  @Option(help: ArgumentHelp("Measures only these sections, separated by commas.", valueName: "sections"))
  var only: String?

  @Flag(help: "Takes more rounds and more shapes: a quarter of an hour instead of some minutes.")
  var thorough = false

  @Option(value: "n", "Number of rounds of a recipe or of one workload.")
  var rounds: Int?

  @Option(
    help: ArgumentHelp(
      "Trains only this workload of the section steps, such as 'ntp bf16', and prints tokens/s and peak memory.",
      valueName: "name"))
  var workload: String?

  @OptionGroup var changes: RecipeOptions

  @OptionGroup var computing: ThreadOptions

  @OptionGroup var place: FolderOptions

  @OptionGroup var output: JSONOption

  func validate() throws {
    if let rounds, !(1...10_000).contains(rounds) {
      throw ValidationError("--rounds must be from 1 to 10000, and \(rounds) is not")
    }
    if recipe != nil, only != nil || workload != nil {
      throw ValidationError("a recipe is measured by itself: leave out --only and --workload")
    }
    if recipe == nil, !changes.assignments.isEmpty || changes.steps != nil || !changes.data.isEmpty {
      throw ValidationError("--set, --steps and --data change a recipe: name one, such as “foretop bench small”")
    }
  }

  func run() throws {
    try Computation.prepare()
    let bench = Bench(threads: try computing.count(), effort: thorough ? .thorough : .quick) { line in
      Output.warn(line, from: "bench")
    }
    if let workload { return try runAlone(workload, bench) }
    try show(try recipe.map { try recipeTables($0, bench) } ?? sectionTables(bench))
  }

  /// The tables of the chosen sections.
  private func sectionTables(_ bench: Bench) throws -> [ReportTable] {
    try sections().map { section in
      switch section {
      case .limit: try bench.limit()
      case .kernels: try bench.kernels()
      case .steps: try bench.steps(Workload.small)
      case .parts: try bench.parts(Workload.small)
      case .reading: try bench.reading()
      case .decoding: try bench.decoding()
      case .scaling: try bench.scaling()
      case .memory: try bench.memory { try child($0) }
      case .memoryLayer: try bench.memoryLayer()
      case .tableUpdates: try bench.tableUpdates()
      case .tableCheckpoints:
        try RecordingTrial.tables(bench, in: place.runs, threads: try computing.count())
      case .screen:
        try bench.screen {
          try ScreenTrial.measure(in: place.runs, threads: try computing.count(), isThorough: thorough)
        }
      case .recording: try RecordingTrial.table(bench, in: place.runs, threads: try computing.count())
      }
    }
  }

  private func sections() throws -> [Bench.Topic] {
    guard let only else { return Bench.Topic.allCases }
    guard !only.trimmingSpaces.isEmpty else {
      throw UserError(
        .usage, "--only is empty: the sections are \(Bench.Topic.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return try only.split(separator: ",").map { word in
      let name = String(word).trimmingSpaces
      guard let section = Bench.Topic(rawValue: name) else {
        let names = Bench.Topic.allCases.map(\.rawValue)
        let meant = names.nearest(to: name).map { "; did you mean \($0)?" } ?? ""
        throw UserError(.usage, "--only \(name): the sections are \(names.joined(separator: ", "))\(meant)")
      }
      return section
    }
  }

  private func recipeTables(_ word: String, _ bench: Bench) throws -> [ReportTable] {
    let file = try RecipeFile(word)
    var origins = file.origins
    let recipe = try changes.applied(to: file.recipe, &origins)
    try recipe.validate(origins)
    let plan = try RunPlan(
      recipe, vocabulary: try Corpus.vocabulary(of: try Corpus.Source(recipe, runs: place.runs)).count,
      threads: try computing.count())
    try plan.checkMachine()
    let workload = Workload(plan, name: file.name)
    var table = try bench.steps([workload], rounds: rounds)
    if let peak = MachineMemory.peakOfProcess {
      table.about.append("peak memory of this process, including the limit's operands: \(Figure.bytes(peak))")
    }
    return [table, try bench.parts([workload], rounds: rounds)]
  }

  // MARK: One workload in a process of its own

  private func runAlone(_ name: String, _ bench: Bench) throws {
    let all = Workload.small
    guard let workload = all.first(where: { $0.name == name }) else {
      throw UserError(
        .usage, "there is no workload \(name.quotation); there are \(all.map(\.name).joined(separator: ", "))")
    }
    let result = try bench.alone(workload, rounds: rounds ?? 5)
    if output.json {
      let object = JSON.object([
        JSON.Member("workload", .text(name)), JSON.Member("tokensPerSecond", .double(result.tokensPerSecond)),
        JSON.Member("spread", .double(result.spread)), JSON.Member("peakMemory", .integer(result.peakMemory)),
      ])
      print(object.line)
    } else {
      print(
        "\(name): \(Figure.short(result.tokensPerSecond)) tokens/s ± \(Int((result.spread * 100).rounded())) %, "
          + "\(Figure.bytes(result.peakMemory)) at most")
    }
  }

  /// Starts this program again for one workload.
  private func child(_ workload: Workload) throws -> Alone {
    let process = Process()
    process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    process.arguments = [
      "bench", "--workload", workload.name, "--rounds", "2", "--json", "--threads", String(try computing.count()),
    ]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0,
      let alone = try? JSONDecoder().decode(Alone.self, from: data)
    else { throw UserError(.unavailable, "the process that measures \(workload.name) ended without a result") }
    return alone
  }

  // MARK: Showing

  private func show(_ tables: [ReportTable]) throws {
    if output.json {
      let machine = [
        JSON.Member("threads", .integer(try computing.count())), JSON.Member("bf16", .flag(Machine.hasBF16)),
        JSON.Member("effort", .text(thorough ? "thorough" : "quick")),
      ]
      print(JSON.object(machine + tables.map { JSON.Member($0.name, $0.json) }).line)
      return
    }
    for line in Bench.omissions { print(line + "\n") }
    for (index, table) in tables.enumerated() {
      if index > 0 { print("") }
      for line in table.about { print(line) }
      print(TextTable.text(table.cells, right: table.numbers))
    }
  }
}
