// What keys take, at the edges of the types that their numbers are kept and computed in.
import Run
import Support
import Testing

struct FieldTests {
  @Test(arguments: [
    ("objective.temperature", "1e-46", "0.0"), ("optimizer.epsilon", "1e-46", "0.0"), ("model.epsilon", "1e-50", "0.0"),
    ("objective.top", "4.9e-324", "0.0"), ("schedule.rate", "1e-46", "0.0"), ("model.deviation", "7e-46", "0.0"),
    ("optimizer.beta1", "0.99999999", "1.0"), ("optimizer.beta2", "0.9999999999", "1.0"),
    ("model.dropout", "0.99999999", "1.0"), ("objective.temperature", "1e-38", "0.0"),
    ("objective.top", "1e-40", "0.0"),
  ])
  func `a number that is another one when it is computed with is refused`(key: String, text: String, used: String) {
    var recipe = Recipe()
    let error = #expect(throws: UserError.self) { try recipe.set("\(key)=\(text)", source: "--set") }
    #expect(error?.message.hasSuffix("is not: it is used in fp32, where it becomes \(used)") == true)
    #expect(recipe == Recipe())
    let section = key.split(separator: ".")
    let yaml = "\(section[0]):\n  \(section[1]): \(text)\n"
    #expect(throws: UserError.self) { try Recipe(yaml: yaml, source: "x.yaml") }
  }

  @Test func `weights and rates that are typed are as good as those of a recipe`() throws {
    #expect(throws: UserError.self) { try WeightChange(typed: "1e-46", for: .top, now: 1) }
    #expect(throws: UserError.self) { try WeightChange(typed: "x1e-46", for: .top, now: 1) }
    #expect(try WeightChange(typed: "0", for: .top, now: 1).weight == 0)
    #expect(
      !RateChange.bounds.contains(1e-46) && RateChange.bounds.contains(1e-12) && !RateChange.bounds.contains(.nan))
  }

  @Test func `whatever a key takes is in its range as a Float too`() throws {
    for (name, recipe) in ExtremeNumbers.recipes(from: Recipe()) {
      for field in Recipe.fields {
        guard case .number(let bounds) = field.kind, case .number(let value) = field.read(recipe) else { continue }
        #expect(bounds.contains(value), "\(name)")
        if bounds.use == .float { #expect((Float(value) == 0) == (value == 0) && Float(value).isFinite, "\(name)") }
      }
    }
  }

  @Test func `a run has no more tokens than can be counted`() throws {
    var recipe = Recipe()
    for assignment in ["batch.rows=16384", "model.context=256", "batch.accumulation=65536", "steps=1000000000"] {
      try recipe.set(assignment, source: "")
    }
    let error = #expect(throws: UserError.self) { try recipe.validate(source: "x.yaml") }
    #expect(error?.message.contains("more tokens than can be counted") == true)
    recipe.steps = 10_000_000
    try recipe.validate(source: "x.yaml")
  }

  @Test(arguments: ["steps", "schedule.rate", "precision", "model.tied", "nothing.of.the.kind"])
  func `what was typed is repeated only where it is short`(key: String) {
    let long = String(repeating: "7", count: 100_000)
    var recipe = Recipe()
    for text in ["\(key)=\(long)", "\(key)\(long)=1", "\(key)\(long)"] {
      let error = #expect(throws: UserError.self) { try recipe.set(text, source: "--set") }
      #expect((error?.message.count ?? .max) < 4000, "\(error?.message.prefix(300) ?? "")")
    }
    for yaml in ["\(key): \(long)\n", "\(key)\(long): 1\n", "? \(key)\(long)\n: 1\n"] {
      let error = #expect(throws: UserError.self) { try Recipe(yaml: yaml, source: "x.yaml") }
      #expect((error?.message.count ?? .max) < 4000, "\(error?.message.prefix(300) ?? "")")
    }
  }

  @Test func `an excerpt is short, on one line and harmless`() {
    #expect("steps".quotation == "“steps”")
    #expect("a\nb\u{1B}[2J\u{9B}".excerpt == "a·b·[2J·")
    let long = String(repeating: "e\u{301}", count: 150)
    #expect(long.quotation == "“" + String(repeating: "e\u{301}", count: 100) + "…” (450 bytes)")
    // One character of any number of scalars.
    #expect(("e" + String(repeating: "\u{301}", count: 100_000)).excerpt.utf8.count < 500)
  }
}
