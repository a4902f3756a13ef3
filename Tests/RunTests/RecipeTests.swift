// Recipes as text: read, refused with a sentence, written and read again.
import Foundation
import Run
import Support
import Testing

struct RecipeTests {
  @Test func `a recipe that says little keeps the other defaults`() throws {
    let recipe = try Recipe(yaml: "model:\n  width: 384\n  heads: 6\nsteps: 2e4\n", source: "x.yaml")
    var expected = Recipe()
    expected.model.width = 384
    expected.model.heads = 6
    expected.steps = 20_000
    #expect(recipe == expected)
  }

  @Test func `every kind of value is read`() throws {
    let yaml = """
      data: {paths: [a.txt, "b c.txt"], heldOut: 0.1}
      tokenizer:
        kind: characters
        model:
      model.tied: true
      objective: {semantics: default}
      seed: 18446744073709551615
      precision: fp32
      sample:
        prompt: |
          In the beginning
          God
      """
    let recipe = try Recipe(yaml: yaml, source: "x.yaml")
    #expect(recipe.data.paths == ["a.txt", "b c.txt"])
    #expect(recipe.data.heldOut == 0.1)
    #expect(recipe.tokenizer.kind == .characters)
    #expect(recipe.tokenizer.model.isEmpty)
    #expect(recipe.model.tied)
    #expect(recipe.objective.semantics == .standard)
    #expect(recipe.seed == .max)
    #expect(recipe.precision == .fp32)
    #expect(recipe.sample.prompt.hasPrefix("In the beginning\nGod"))
  }

  @Test func `anchors and merged sections work, and a section's own keys win`() throws {
    let yaml = "save: &often {every: 7}\nevaluate:\n  <<: *often\nsample:\n  every: 9\n  <<: *often\n"
    let recipe = try Recipe(yaml: yaml, source: "x.yaml")
    #expect(recipe.save.every == 7)
    #expect(recipe.evaluate.every == 7)
    #expect(recipe.sample.every == 9)
  }

  @Test(arguments: [
    (
      "model:\n  widht: 384\n",
      "x.yaml:2: there is no key model.widht; did you mean model.width? (“foretop train --help” lists all keys)"
    ),
    (
      "steps: 1\nwidth: 384\n",
      "x.yaml:2: there is no key width; did you mean model.width? (“foretop train --help” lists all keys)"
    ),
    (
      "modle:\n  width: 384\n",
      "x.yaml:2: there is no key modle.width; did you mean model.width? (“foretop train --help” lists all keys)"
    ),
    ("model:\n  width: {a: 1}\n", "x.yaml:2: model.width must be a whole number from 2 to 32768, and a section is not"),
    ("\nsteps: 0\n", "x.yaml:2: steps must be a whole number from 1 to 1000000000, and “0” is not"),
    ("steps: many\n", "x.yaml:1: steps must be a whole number from 1 to 1000000000, and “many” is not"),
    ("steps: 1.5\n", "x.yaml:1: steps must be a whole number from 1 to 1000000000, and “1.5” is not"),
    ("steps:\n", "x.yaml:1: steps must be a whole number from 1 to 1000000000, and nothing is not"),
    ("steps: [1]\n", "x.yaml:1: steps must be a whole number from 1 to 1000000000, and a list is not"),
    ("seed: -1\n", "x.yaml:1: seed must be a whole number from 0 to 18446744073709551615, and “-1” is not"),
    ("schedule:\n  rate: 0\n", "x.yaml:2: schedule.rate must be a number above 0 and at most 1, and “0” is not"),
    ("schedule:\n  rate: .nan\n", "x.yaml:2: schedule.rate must be a number above 0 and at most 1, and “.nan” is not"),
    ("optimizer: {beta1: 1}\n", "x.yaml:1: optimizer.beta1 must be a number from 0 to below 1, and “1” is not"),
    ("model: {tied: 1}\n", "x.yaml:1: model.tied must be true or false, and “1” is not"),
    (
      "schedule: {kind: cosin}\n",
      "x.yaml:1: schedule.kind must be one of cosine, linear, constant, decay, and “cosin” is not; did you mean cosine?"
    ),
    ("model: 5\n", "x.yaml:1: model is a section: its keys go below it, such as model.kind"),
    ("steps: 1\nsteps: 2\n", "x.yaml:1: steps is set twice in one section"),
    ("save:\n  every: 1\nsave.every: 2\n", "x.yaml:3: save.every was set before, at line 2"),
    ("- 1\n- 2\n", "x.yaml:1: a recipe is a list of keys with values, such as “steps: 1000”, and this is not"),
    ("", "x.yaml: this file has no keys"),
    ("# nothing\n", "x.yaml: this file has no keys"),
    ("steps: [1\n", "x.yaml:1: this is not YAML: did not find expected ',' or ']'"),
    ("a: *b\n", "x.yaml:1: this is not YAML: found undefined alias"),
  ])
  func `a wrong recipe is refused with the line and what would be right`(yaml: String, message: String) {
    let error = #expect(throws: UserError.self) { try Recipe(yaml: yaml, source: "x.yaml") }
    #expect(error?.message == message)
    #expect(error?.status == .data)
  }

  @Test(arguments: [
    ("model: {kind: gpt2, qkNorm: true}", "model.qkNorm is for model.kind llama"),
    ("model: {kind: gpt2, ropeTheta: 5000}", "model.ropeTheta is the base of rotary positions"),
    ("model: {dropout: 1}", "model.dropout must be a number from 0 to below 1"),
    ("model: {kind: gpt-2}", "did you mean gpt2?"),
    ("model: {recompute: blocks}", "did you mean block?"),
    ("model: {width: 36, heads: 4}", "must be even"),
    ("objective: {next: {further: 0.5}}", "objective.next.ahead is 1: there are none"),
    ("objective: {ntp: 0, next: {steerable: true}}", "objective.next shapes the next-token loss"),
    ("objective: {next: {steerable: true}, teacher: {file: a}}", "both shape the next-token loss"),
  ])
  func `what does not go together is refused with a sentence`(yaml: String, message: String) throws {
    let error = #expect(throws: UserError.self) {
      try Recipe(yaml: yaml, source: "x.yaml").validate(source: "x.yaml")
    }
    #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    try Recipe(yaml: "model: {kind: gpt2, width: 36, heads: 4}", source: "x.yaml").validate(source: "x.yaml")
  }

  @Test func `a run in related order begins with a decision on near duplicates, however that is`() throws {
    func said(_ yaml: String, _ options: String...) throws -> String {
      var origins = KeyOrigins("x.yaml")
      var recipe = try Recipe(yaml: yaml, origins: &origins)
      for option in options {
        try recipe.set(option, source: "--set")
        origins.add(String(option.prefix { $0 != "=" }), option: "--set \(option)")
      }
      // Stored runs that have no decision still open.
      try recipe.validate(origins)
      do throws(UserError) { try recipe.requireDecisions(origins) } catch { return error.message }
      return ""
    }
    let undecided = try said("steps: 5\ndata: {order: related}")
    #expect(undecided.hasPrefix("x.yaml:2: ") && undecided.contains("set data.deduplicate to true"), "\(undecided)")
    #expect(try said("steps: 5", "data.order=related").hasPrefix("--set data.order=related: "))
    for decided in ["data: {order: related, deduplicate: true}", "data: {order: related, deduplicate: false}"] {
      #expect(try said(decided).isEmpty)
    }
    #expect(try said("data: {order: related}", "data.deduplicate=false").isEmpty)
    for other in ["data: {order: random}", "data: {order: random, deduplicate: true}", "steps: 5"] {
      #expect(try said(other).isEmpty)
    }
  }

  @Test func `the inner width is four times the width in a gpt2`() throws {
    #expect(try Recipe(yaml: "model: {kind: gpt2, width: 36, heads: 4}", source: "x").model.innerWidth == 144)
    #expect(try Recipe(yaml: "model: {width: 384}", source: "x").model.innerWidth == 1024)
  }

  @Test func `an unknown key that resembles none gets the page with all keys`() {
    let error = #expect(throws: UserError.self) { try Recipe(yaml: "zzzzzzzzzz: 1", source: "x.yaml") }
    #expect(error?.message.contains("“foretop train --help” lists all keys") == true)
  }

  @Test func `a recipe written and read again is the same to the bit`() throws {
    var recipe = Recipe()
    recipe.data.paths = ["a b.txt", "-", "null", "quote\".txt", "comma,.txt", "größe.txt"]
    recipe.seed = .max
    recipe.optimizer.epsilon = 1e-15
    recipe.schedule.rate = 0.1 + 0.2
    recipe.objective.temperature = Double(Float.leastNormalMagnitude)
    recipe.sample.prompt = "a: b # c\n\t\\ \u{1}\u{7F}\u{85}\u{2028}\u{FEFF} 'x' 👩‍🚀 e\u{301} "
    recipe.objective.semantics = .float16Scores
    recipe.model.tied = true
    #expect(try Recipe(yaml: recipe.yaml, source: "x") == recipe)
    #expect(try Recipe(yaml: Recipe().yaml, source: "x") == Recipe())
  }

  @Test(arguments: [
    "\u{FEFF}", "\u{FEFF}a", "\u{FEFF}\u{FEFF}a", "a\u{FEFF}", "\0", "\u{85}", "\u{2028}", "#a", "- a", " a ", "~",
  ])
  func `odd texts survive being written`(text: String) throws {
    var recipe = Recipe()
    recipe.sample.prompt = text
    let read = try Recipe(yaml: recipe.yaml, source: "x")
    #expect(Array(read.sample.prompt.unicodeScalars) == Array(text.unicodeScalars))
  }

  @Test func `any text and any number survive being written`() throws {
    var dice = Dice(for: "recipes")
    for _ in 0..<300 {
      var recipe = Recipe()
      let scalars = (0..<Int.random(in: 0...12, using: &dice)).compactMap { _ in
        Unicode.Scalar(UInt32.random(in: 0...(Bool.random(using: &dice) ? 0x7F : 0x1_FFFF), using: &dice))
      }
      recipe.sample.prompt = scalars.reduce(into: "") { $0.unicodeScalars.append($1) }
      recipe.data.paths = [recipe.sample.prompt, "x"]
      recipe.schedule.rate = .random(in: 1e-12...1, using: &dice)
      recipe.seed = .random(in: 0 ... .max, using: &dice)
      let read = try Recipe(yaml: recipe.yaml, source: "x")
      #expect(Array(read.sample.prompt.unicodeScalars) == Array(recipe.sample.prompt.unicodeScalars))
      #expect(read == recipe, "\(Trial.note)")
    }
  }

  @Test func `all keys are in the table, once`() throws {
    let keys = Recipe.fields.map(\.key)
    #expect(Set(keys).count == keys.count)
    // The coder sees every stored property, so that a forgotten one shows here.
    let coded = try #require(
      try JSONSerialization.jsonObject(with: JSONEncoder().encode(Recipe())) as? [String: Any])
    func stored(_ object: [String: Any], below section: String = "") -> [String] {
      object.flatMap { name, value in
        (value as? [String: Any]).map { stored($0, below: "\(section)\(name).") } ?? ["\(section)\(name)"]
      }
    }
    // Weights of heads that are off are not stored, so that they can be added.
    let weights = HeadKind.own.map(\.weightKey).filter { key in !stored(coded).contains(key) }
    // Those of diagnostics are one property, which is coded where it has values.
    let diagnostics = Set(DiagnosticKind.all.map { "measure.\($0.name)" })
    #expect(weights.count == 2 && diagnostics.isSubset(of: keys))
    #expect(Set(stored(coded) + weights) == Set(keys).subtracting(diagnostics))
  }

  @Test(
    arguments: [
      ("model.width=256", \Recipe.model.width, 256), (" model.blocks = 7 ", \Recipe.model.blocks, 7),
      ("steps=1_000", \Recipe.steps, 1000),
    ] as [(String, KeyPath<Recipe, Int> & Sendable, Int)])
  func `an assignment changes one key`(assignment: String, path: KeyPath<Recipe, Int> & Sendable, value: Int) throws {
    var recipe = Recipe()
    try recipe.set(assignment, source: "--set")
    #expect(recipe[keyPath: path] == value)
  }

  @Test func `an assigned list is written with commas or as in YAML`() throws {
    var recipe = Recipe()
    try recipe.set("data.paths=a.txt, b.txt", source: "--set")
    #expect(recipe.data.paths == ["a.txt", "b.txt"])
    try recipe.set("data.paths=[\"c, d.txt\", e]", source: "--set")
    #expect(recipe.data.paths == ["c, d.txt", "e"])
    try recipe.set("data.paths=", source: "--set")
    #expect(recipe.data.paths.isEmpty)
    try recipe.set("sample.prompt=a: [b] = c", source: "--set")
    #expect(recipe.sample.prompt == "a: [b] = c")
  }

  @Test(arguments: [
    (
      "model.widht=3",
      "--set model.widht=3: there is no key “model.widht”; did you mean model.width? (“foretop train --help” lists all keys)"
    ),
    (
      "measure.calib=1",
      "--set measure.calib=1: there is no key “measure.calib”; did you mean measure.calibration? (“foretop train --help” lists "
        + "all keys)"
    ),
    ("steps", "--set steps: write KEY=VALUE, such as model.width=256"),
    ("steps=-3", "--set steps=-3: steps must be a whole number from 1 to 1000000000, and “-3” is not"),
    (
      "precision=bf61",
      "--set precision=bf61: precision must be one of auto, bf16, fp32, and “bf61” is not; did you mean bf16?"
    ),
    ("data.paths=[a", "--set data.paths=[a: this is not YAML: did not find expected ',' or ']'"),
  ])
  func `a wrong assignment is refused`(assignment: String, message: String) {
    var recipe = Recipe()
    let error = #expect(throws: UserError.self) { try recipe.set(assignment, source: "--set") }
    #expect(error?.message == message)
    #expect(error?.status == .usage)
    #expect(recipe == Recipe())
  }

  @Test(arguments: [
    (["model.width=250", "model.heads=4"], "model.width 250 is not a multiple"),
    (["model.width=36", "model.heads=4"], "the head width is 9"),
    (["model.keyValueHeads=3"], "model.keyValueHeads 3 must divide model.heads 4"),
    (["model.keyValueHeads=8"], "model.keyValueHeads 8 must divide"),
    (["objective.ntp=0", "objective.top=0"], "all 0"),
    (["batch.rows=65536", "model.context=131072"], "tokens at once"),
    (["objective.ntp=0", "model.tied=true"], "model.tied"),
  ])
  func `keys that do not fit together are refused`(assignments: [String], words: String) throws {
    var recipe = Recipe()
    try recipe.validate(source: "x")
    for assignment in assignments { try recipe.set(assignment, source: "--set") }
    let error = #expect(throws: UserError.self) { try recipe.validate(source: "x.yaml") }
    #expect(error?.message.contains(words) == true)
    #expect(error?.message.hasPrefix("x.yaml: ") == true)
  }

  @Test func `a fault between keys is blamed on the option that made it, else on the line`() throws {
    var origins = KeyOrigins("x.yaml")
    var recipe = try Recipe(yaml: "steps: 5\nmodel:\n  width: 64\n  heads: 4\n", origins: &origins)
    try recipe.validate(origins)
    try recipe.set("model.headWidth=7", source: "--set")
    origins.add("model.headWidth", option: "--set model.headWidth=7")
    let option = #expect(throws: UserError.self) { try recipe.validate(origins) }
    #expect(option?.message.hasPrefix("--set model.headWidth=7: the head width is 7") == true)
    #expect(option?.status == .usage)

    var others = KeyOrigins("x.yaml")
    let file = try Recipe(yaml: "model:\n  width: 64\n\n  heads: 3\n", origins: &others)
    others.add("steps", option: "--steps 3")
    let line = #expect(throws: UserError.self) { try file.validate(others) }
    #expect(line?.message.hasPrefix("x.yaml:4: model.width 64 is not a multiple of model.heads 3") == true)
    #expect(line?.status == .data)
  }

  @Test func `a trial shorter than the warm-up is taken`() throws {
    var recipe = Recipe()
    recipe.steps = 3
    recipe.schedule.warmup = 50
    try recipe.validate(source: "x.yaml")
  }

  @Test(arguments: ["default", "small", "tiny"])
  func `the recipes that come with the program are good`(name: String) throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let path = root.appending(path: "recipes/\(name).yaml")
    let recipe = try Recipe(yaml: String(contentsOf: path, encoding: .utf8), source: name)
    try recipe.validate(source: name)
    #expect(recipe.heads.contains(.ntp))
    #expect(recipe.heads.contains(.top) == (name != "small"))
  }

  @Test func `a head of weight 0 is left out, where no other reads it`() throws {
    var recipe = Recipe()
    recipe.objective.mtp.heads = 4
    recipe.model.blocks = 6
    recipe.objective.mtp.weights = [0.5, 0, 1]
    try recipe.validate(source: "test")
    #expect(recipe.heads == [.ntp, .mtp(2), .mtp(4), .top])
    recipe.objective.mtp.kind = .sequential
    #expect(throws: UserError.self) { try recipe.validate(source: "test") }
    recipe.objective.mtp.weights = [0.5, 0, 0]
    try recipe.validate(source: "test")
    #expect(recipe.heads == [.ntp, .mtp(2), .top])
  }
}
