// Experiments from YAML: which cells they make, and what is said of wrong ones.
import Foundation
import Run
import Support
import Testing

@testable import Experiments

@Suite struct ExperimentFileTests {
  private func file(_ yaml: String) throws -> ExperimentFile {
    try ExperimentFile(yaml: yaml, source: "e.yaml", name: "e")
  }

  @Test func `settings, factors and lists are multiplied`() throws {
    let file = try file(
      """
      recipe: tiny
      set: {steps: 20}
      settings:
        ntp: {objective.top: 0}
        top: {}
      factors:
        size:
          small: {model.width: 32}
          large: {model.width: 64, model.blocks: 2}
      grid:
        schedule.rate: [1e-3, 2e-3]
      seeds: [3, 7]
      threads: 1
      against: ntp,small,rate=1e-3
      """)
    #expect(file.settings.count == 8)
    #expect(
      file.settings.map(\.name).prefix(3) == ["ntp,small,rate=1e-3", "ntp,small,rate=2e-3", "ntp,large,rate=1e-3"])
    #expect(file.base == 0)
    let cells = try file.cells(of: Recipe())
    #expect(cells.count == 16)
    #expect(cells[0].name == "ntp,small,rate=1e-3-3")
    #expect(cells.last?.name == "top,large,rate=2e-3-7")
    let last = try #require(cells.last?.recipe)
    #expect((last.seed, last.steps, last.model.width, last.model.blocks, last.schedule.rate) == (7, 20, 64, 2, 2e-3))
    #expect(cells[0].recipe.objective.top == 0)
    #expect(file.metrics(of: cells) == ["held-out/ntp"])
  }

  @Test func `a number of seeds means those from 1 on`() throws {
    #expect(try file("recipe: tiny\nseeds: 3").seeds == [1, 2, 3])
    #expect(try file("recipe: tiny").settings.map(\.name) == ["run"])
  }

  @Test func `the condition of the end is the first number of the table`() throws {
    let file = try file("recipe: x\nset: {stop.until: accuracy/ntp >= 0.5}\nsettings: {a: {}, b: {objective.top: 0}}")
    #expect(file.metrics(of: try file.cells(of: Recipe())) == ["accuracy/ntp", "held-out/ntp"])
  }

  @Test(arguments: [
    ("settings: {a: {}}", "recipe is missing"),
    ("recipe: tiny\nseed: 3", "e.yaml:2: an experiment has no key “seed”; did you mean seeds?"),
    ("recipe: tiny\nseeds: 0", "from 1 on"), ("recipe: tiny\nseeds: [1, 1]", "twice"),
    ("recipe: tiny\nseeds: [-1]", "not a seed"),
    ("recipe: tiny\nsettings: {a/b: {}}", "cannot be the name"), ("recipe: tiny\nsettings: {}", "settings is empty"),
    ("recipe: tiny\nsettings:\n  a: {model: {width: 3}}", "write keys with dots"),
    ("recipe: tiny\nthreads: 0", "threads must be"),
    ("recipe: tiny\nsettings: {a: {}}\nagainst: b", "against names “b”"), ("- 1", "list of keys"),
    ("recipe: [", "not YAML"),
    ("recipe: tiny\nseeds: 4096\nsettings: {a: {}, b: {}}", "more than 4096"),
  ]) func `what is wrong is said with its place`(yaml: String, words: String) {
    let said = sentence { _ = try file(yaml) }
    #expect(said.contains(words), "\(said)")
  }

  @Test func `the experiments that come with the program are good`() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardizedFileURL
    let folder = root.appending(path: "experiments")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".yaml") }
    #expect(Set(names).isSuperset(of: ["table3.yaml", "table3-paper.yaml", "objectives.yaml", "ablation.yaml"]))
    for name in names {
      let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
      let file = try ExperimentFile(yaml: text, source: name, name: String(name.dropLast(5)))
      let path = root.appending(path: "recipes/\(file.recipe).yaml")
      let base = try Recipe(yaml: String(contentsOf: path, encoding: .utf8), source: file.recipe)
      let cells = try file.cells(of: base)
      #expect(cells.count == file.settings.count * file.seeds.count && file.seeds.count >= 3, "\(name)")
      #expect(Set(cells.map(\.name)).count == cells.count)
      #expect(!file.metrics(of: cells).isEmpty)
    }
  }

  @Test(arguments: [
    ("held-out/npt", "“held-out/npt”, which evaluations of its runs lack; did you mean held-out/ntp?"),
    ("accuracy/top", "“accuracy/top”"), ("loss/ntp", "“loss/ntp”"),
  ]) func `a number that no cell measures is refused before anything runs`(metric: String, words: String) throws {
    let file = try file("recipe: tiny\nsettings: {a: {}, b: {}}\nmetrics: [held-out/ntp, \"\(metric)\"]")
    let said = sentence { _ = try file.cells(of: Recipe()) }
    #expect(said.contains("experiment e: metrics names") && said.contains(words), "\(said)")
    // One cell that has it is enough.
    let some = try self.file(
      "recipe: tiny\nsettings: {a: {}, b: {objective.top: 0}}\nmetrics: [held-out/top, accuracy/ntp]")
    #expect(some.metrics(of: try some.cells(of: Recipe())) == ["held-out/top", "accuracy/ntp"])
  }

  @Test func `some of the settings have the numbers that they measure`() throws {
    var file = try file(
      """
      recipe: tiny
      settings: {plain: {}, greedy: {measure.greedy: 1}}
      metrics: [held-out/ntp, greedy/distinct-1]
      """)
    let all = try file.cells(of: Recipe())
    #expect(file.metrics(of: all) == ["held-out/ntp", "greedy/distinct-1"])
    file.settings.removeLast()
    #expect(sentence { _ = try file.cells(of: Recipe()) }.contains("greedy/distinct-1"))
    // As --only has it.
    file.isPart = true
    let some = try file.cells(of: Recipe())
    #expect(file.metrics(of: some) == ["held-out/ntp"])
    file.metrics = ["greedy/distinct-1"]
    #expect(sentence { _ = try file.cells(of: Recipe()) }.contains("greedy/distinct-1"))
  }

  @Test(arguments: [
    ("text: {}, related: {data.order: related}", "setting related: data.order related needs a decision"),
    (
      "text: {}, related: {data.order: related, data.deduplicate: true}",
      "settings related and text have other orders of documents"
    ),
    (
      "random: {data.order: random, data.deduplicate: true}, related: {data.order: related, data.deduplicate: false}",
      "only one of them leaves out near duplicates"
    ),
  ]) func `orders of documents are compared on the same documents`(settings: String, words: String) throws {
    let said = sentence { _ = try file("recipe: tiny\nsettings: {\(settings)}").cells(of: Recipe()) }
    #expect(said.contains("experiment e") && said.contains(words), "\(said)")
  }

  @Test(arguments: [
    "settings: {random: {data.order: random}, related: {data.order: related}}\nset: {data.deduplicate: true}",
    "settings: {random: {data.order: random}, related: {data.order: related}}\nset: {data.deduplicate: false}",
    "settings: {text: {}, random: {data.order: random, data.deduplicate: true}, "
      + "related: {data.order: related, data.deduplicate: true}}",
    // Another objective is another comparison, and so is one side alone.
    "settings: {top: {objective.top: 0.5}, related: {data.order: related, data.deduplicate: true}}",
    "settings: {related: {data.order: related, data.deduplicate: true}}",
    "settings: {text: {}, random: {data.order: random}, clean: {data.deduplicate: true}}",
  ]) func `fair comparisons of orders are taken`(yaml: String) throws {
    #expect(try !file("recipe: tiny\n\(yaml)").cells(of: Recipe()).isEmpty)
  }

  @Test func `a setting whose recipe does not hold is named`() throws {
    let file = try file("recipe: tiny\nsettings: {odd: {model.width: 33}}")
    let error = try #require(throws: UserError.self) { try file.cells(of: Recipe()) }
    #expect("\(error)".contains("setting odd"))
  }
}
