// Options that several commands share.
import ArgumentParser
import Foundation
import Kernels
import Run
import TerminalUI

/// The folder of all runs.
struct FolderOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The folder of all runs.", valueName: "dir"))
  var runs = "runs"

  func validate() throws {
    // An empty path would mean the root of the file system.
    if runs.isEmpty { throw ValidationError("--runs is empty: give a folder, such as --runs runs") }
  }
}

/// The run that a command is about.
struct RunArgument: ParsableArguments {
  @Argument(help: ArgumentHelp("The run's name.", valueName: "name"))
  var name: String
}

extension FolderOptions {
  /// The name of a run that may be written EXPERIMENT/RUN, and the folder of runs that it is in: screens and branches know a run by
  /// the name that its folder has.
  func located(_ name: String) -> (name: String, place: FolderOptions) {
    let address = RunAddress(name: name, runs: runs)
    var place = self
    place.runs = address.runs
    return (address.name, place)
  }
}

/// The runs that a command is about.
struct RunsArgument: ParsableArguments {
  @Argument(help: ArgumentHelp("Names of runs.", valueName: "name"))
  var names: [String]
}

/// One of a run's checkpoints.
struct CheckpointOption: ParsableArguments {
  // Unconditional, here and elsewhere, so that -1 is a wrong number and not an option.
  @Option(value: "step", "The checkpoint's step or name, or best. Default: the last one.")
  var step: CheckpointChoice?
}

/// Text or JSON.
struct JSONOption: ParsableArguments {
  @Flag(help: "Prints JSON instead of text: one object a line.")
  var json = false
}

/// The number of compute threads.
struct ThreadOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Number of compute threads. Default: the number of the stored run; for a new run, one per core.",
      discussion: """
        Cores are the physical cores that this process may use: within its affinity (taskset) and the CPU quotas of its \
        control groups. Losses are bit-identical only with the same number of threads.
        """,
      valueName: "n"))
  var threads: Int?

  func validate() throws {
    if let threads, !(1...Self.most).contains(threads) {
      throw ValidationError("--threads must be from 1 to \(Self.most), and \(threads) is not")
    }
  }

  private static let most = 1024

  /// The number of threads for a run that had `before`.
  /// - Throws: `UserError` when this machine cannot use as many, unless the run had as many before.
  func count(before: Int? = nil) throws -> Int {
    let usual = Self.usual(before: before)
    guard let threads, threads != before else { return threads ?? usual }
    try Self.check(threads, of: "--threads \(threads)", advice: "leave --threads out for \(usual)")
    return threads
  }

  /// - Parameters:
  ///   - asked: the words that asked for so many threads.
  ///   - advice: what to do.
  /// - Throws: `UserError` when this machine cannot use as many.
  static func check(_ threads: Int, of asked: String, advice: String) throws {
    let processors = Processors.current
    guard threads > processors.mostThreads else { return }
    throw UserError(
      .usage,
      "\(asked) is too many: this process may run on \(processors.words), and at most \(processors.mostThreads) threads "
        + "are accepted here; \(advice)")
  }

  /// The number of threads where nobody asked for one: that of the run before, or one per core.
  static func usual(before: Int?) -> Int {
    before.flatMap { (1...most).contains($0) ? $0 : nil } ?? max(1, Processors.current.threads / RankStart.sharers)
  }

  /// A warning if threads must share CPUs on this machine; nil if each has a CPU.
  static func warning(of threads: Int) -> String? {
    let processors = Processors.current
    guard threads > processors.usefulThreads else { return nil }
    return "\(threads) threads compute, but this process may run on \(processors.words), so that threads wait for each "
      + "other; --threads \(processors.threads) would be faster, with losses that are not bit-identical"
  }
}

/// The folder of all runs, and the number of compute threads.
struct PlaceOptions: ParsableArguments {
  @OptionGroup var folder: FolderOptions
  var runs: String { folder.runs }

  @OptionGroup var computing: ThreadOptions

  /// The number of threads for a run that had `before`.
  /// - Throws: `UserError` when this machine cannot use as many.
  func threads(before: Int? = nil) throws -> Int { try computing.count(before: before) }
}

/// Changes of a recipe.
struct RecipeOptions: ParsableArguments {
  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Changes a key of the recipe, such as model.width=256; can be repeated.", valueName: "key=value"))
  var assignments: [String] = []

  @Option(value: "n", "Number of steps of the run; the same as --set steps=N.")
  var steps: String?

  @Option(
    help: ArgumentHelp(
      "A text file or folder to train on, instead of the recipe's; can be repeated.", valueName: "path"))
  var data: [String] = []

  /// The keys in --set.
  var keys: Set<String> {
    Set(assignments.map(Self.key))
  }

  /// The keys in --set, and `steps` if --steps is given.
  var allKeys: Set<String> { keys.union(steps == nil ? [] : ["steps"]) }

  static func key(of assignment: String) -> String { String(assignment.prefix { $0 != "=" }).trimmingSpaces }

  /// A recipe with these changes and absolute paths.
  /// - Parameter origins: the origins of the recipe's keys, in which the options are noted.
  func applied(to original: Recipe, _ origins: inout KeyOrigins) throws -> Recipe {
    var recipe = original
    for assignment in assignments {
      try recipe.set(assignment, source: "--set")
      origins.add(Self.key(of: assignment), option: "--set \(assignment.excerpt)")
    }
    if let steps {
      try recipe.set("steps", to: steps, source: "--steps \(steps)")
      origins.add("steps", option: "--steps \(steps)")
    }
    if !data.isEmpty {
      recipe.data.paths = data
      origins.add("data.paths", option: "--data \(data[0].excerpt)")
    }
    // An empty path would mean the working folder.
    guard !recipe.data.paths.contains("") else {
      throw UserError(.usage, "data.paths has an empty path: name a file or a folder with --data PATH")
    }
    recipe.data.paths = recipe.data.paths.map { BundledFiles.corpus(named: $0) ?? $0.absolutePath }
    if !recipe.tokenizer.model.isEmpty { recipe.tokenizer.model = recipe.tokenizer.model.absolutePath }
    if recipe.objective.teacher.isThere {
      recipe.objective.teacher.file = recipe.objective.teacher.file.absolutePath
    }
    if recipe.evaluate.task.contains("/") { recipe.evaluate.task = recipe.evaluate.task.absolutePath }
    return recipe
  }
}

extension String {
  /// This path from the root on: it is the same file from another working folder.
  var absolutePath: String { URL(filePath: self).standardizedFileURL.path(percentEncoded: false) }
}

/// How a run is shown.
struct ScreenOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The layout to begin with: a name in layouts/ or a YAML file.", valueName: "name"))
  var layout: String?

  @Flag(help: "Prints lines, at most one a second, instead of showing the screen.")
  var headless = false

  @Flag(help: "Prints every event as a JSON object, one a line, instead of showing the screen.")
  var json = false

  @OptionGroup var looks: LookOptions
}

/// How stored numbers are shown: on a screen, as text or as JSON.
struct ShowingOptions: ParsableArguments {
  @Flag(help: "Prints text on a terminal too.")
  var text = false

  @OptionGroup var output: JSONOption
  var json: Bool { output.json }

  @OptionGroup var place: FolderOptions
  @OptionGroup var looks: LookOptions

  /// True if the user wants text or JSON, not a screen.
  var isPrinted: Bool { text || json }
}

/// Colours and characters of a screen.
struct LookOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Colours: auto, never, 16, 256 or truecolor (with any terminal of 256 colours); overrides NO_COLOR and the "
        + "terminal's number of colours."))
  var color = ColourOption.auto

  @Flag(
    inversion: .prefixedNo,
    help:
      "Colours for a light or a dark background. Default: those chosen last (key c), else by the terminal's background."
  )
  var light: Bool?

  var isLight: Bool? { light }

  @Flag(
    inversion: .prefixedNo,
    help: "The mouse: clicks choose, the wheel scrolls and zooms; with shift the terminal selects text.")
  var mouse = true

  @Option(help: "Characters: auto, braille, blocks or ascii.")
  var glyphs = GlyphOption.auto

  enum ColourOption: String, ExpressibleByArgument, CaseIterable {
    case auto, never
    case palette16 = "16"
    case palette256 = "256"
    case truecolor

    /// Nil if the terminal decides.
    var depth: ColourDepth? {
      switch self {
      case .auto: nil
      case .never: .mono
      case .palette16: .palette16
      case .palette256: .palette256
      case .truecolor: .truecolor
      }
    }
  }

  enum GlyphOption: String, ExpressibleByArgument, CaseIterable {
    case auto, braille, blocks, ascii

    /// Nil if the terminal decides.
    var glyphs: Glyphs? { Glyphs(rawValue: rawValue) }
  }
}
