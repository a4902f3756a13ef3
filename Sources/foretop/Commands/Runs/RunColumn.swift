// The columns of `foretop runs`, which also serve for sorting and filtering. Every key of the recipe is a column, too.
import Dashboard
import Foundation
import Run
import RunFile
import TerminalUI

/// A column of the list of runs.
struct RunColumn {
  enum RunColumnValue {
    case number(Double)
    case text(String)
    case texts([String])
  }

  /// The column's name in options.
  let name: String
  let isRight: Bool
  /// The text of a run's cell.
  let cell: (RunSummary) -> String
  /// The value for sorting and filtering; nil if a run does not have it.
  let value: (RunSummary) -> RunColumnValue?

  /// The columns that are listed by default.
  static let usual = [
    "name", "state", "step", "tokens", "parameters", "loss", "heldout", "best", "saved", "size", "changed",
  ]

  /// The columns that are listed by default if a run has a value there.
  static var annotations: [RunColumn] { all.filter { ["tag", "note"].contains($0.name) } }

  /// The default columns that a narrow terminal leaves out, first to last.
  static let leastNeeded = [
    "note", "saved", "size", "tokens", "parameters", "changed", "loss", "heldout", "best", "tag", "step",
  ]

  /// - Throws: `UserError` that names the nearest column.
  init(named name: String, option: String) throws {
    if let column = Self.all.first(where: { $0.name == name }) {
      self = column
      return
    }
    guard let field = Recipe.fields.first(where: { $0.key == name }) else {
      let names = Self.all.map(\.name) + Recipe.fields.map(\.key)
      let meant =
        names.nearest(to: name).map { "did you mean \($0)?" }
        ?? "the columns are \(Self.all.map(\.name).joined(separator: ", ")), and every key of a recipe"
      throw UserError(.usage, "\(option): there is no column \(name.quotation); \(meant)")
    }
    self.init(
      name, isRight: false, { $0.recipe.map { Comparison.words(field.read($0)) } ?? "" },
      { $0.recipe.map { Self.value(field.read($0)) } })
  }

  private init(
    _ name: String, isRight: Bool, _ cell: @escaping (RunSummary) -> String,
    _ value: @escaping (RunSummary) -> RunColumnValue?
  ) {
    self.name = name
    self.isRight = isRight
    self.cell = cell
    self.value = value
  }

  private static var all: [RunColumn] {
    let now = Date().timeIntervalSince1970
    func count(_ name: String, _ number: @escaping (RunSummary) -> Double, _ words: @escaping (Double) -> String)
      -> RunColumn
    {
      RunColumn(
        name, isRight: true, { $0.isRead ? words(number($0)) : "" },
        { $0.isRead ? .number(number($0)) : nil })
    }
    func losses(_ name: String, _ losses: @escaping (RunSummary) -> [HeadLoss]) -> RunColumn {
      RunColumn(
        name, isRight: false, { words(losses($0)) }, { losses($0).first.map { .number(Double($0.loss)) } })
    }
    func share(_ name: String, _ share: @escaping (RunSummary) -> Float?) -> RunColumn {
      RunColumn(
        name, isRight: true, { share($0).map { Figure.quality($0) } ?? "" },
        { share($0).map { .number(Double($0)) } })
    }
    func time(_ name: String, _ time: @escaping (RunSummary) -> Double?) -> RunColumn {
      RunColumn(
        name, isRight: false, { time($0).map { Figure.age(now - $0) + " ago" } ?? "" },
        { time($0).map { .number($0) } })
    }
    func texts(
      _ name: String, _ words: @escaping ([String]) -> String, _ texts: @escaping ([Occurrence]) -> [String]
    ) -> RunColumn {
      RunColumn(
        name, isRight: false, { words(texts($0.annotations)) },
        { texts($0.annotations).isEmpty ? nil : .texts(texts($0.annotations)) })
    }
    return [
      RunColumn("name", isRight: false, { $0.name }, { .text($0.name) }),
      RunColumn("state", isRight: false, { $0.word }, { .text($0.word) }),
      RunColumn(
        "step", isRight: true, { $0.isRead ? "\(Figure.grouped($0.step))/\(Figure.grouped($0.steps))" : "" },
        { $0.isRead ? .number(Double($0.step)) : nil }),
      count("tokens", { Double($0.tokens) }, Figure.short),
      count("parameters", { Double($0.parameters) }, Figure.short),
      losses("loss", \.last), losses("heldout", \.heldOut),
      RunColumn(
        "best", isRight: false, { $0.best.map { Figure.loss(Double($0)) } ?? "" },
        { $0.best.map { .number(Double($0)) } }),
      share("accuracy") { $0.heldOut.first?.accuracy }, share("ndcg8") { $0.order?.ndcg8 },
      count("saved", { Double($0.checkpoints) }, { Figure.grouped(Int($0)) }),
      count("size", { Double($0.bytes) }, Figure.bytes),
      time("changed", \.changed), time("created", \.created),
      RunColumn(
        "parent", isRight: false, { $0.parent.map { "\($0.name) at \(Figure.grouped($0.step))" } ?? "" },
        { $0.parent.map { .text($0.name) } }),
      texts("tag", { $0.joined(separator: ",") }, \.tags),
      texts("note", { ($0.last ?? "").cut(to: 40) }, { $0.notes.map(\.text) }),
    ]
  }

  private static func words(_ losses: [HeadLoss]) -> String {
    losses.map { "\($0.head.name) \(Figure.loss(Double($0.loss)))" }.joined(separator: " ")
  }

  private static func words(_ value: Recipe.Field.Content) -> String {
    if case .text(let text) = value { text } else { value.json.line }
  }

  private static func value(_ value: Recipe.Field.Content) -> RunColumnValue {
    switch value {
    case .integer(let number): .number(Double(number))
    case .unsigned(let number): .number(Double(number))
    case .number(let number): .number(number)
    default: .text(words(value))
    }
  }

  /// The value that `--json` prints.
  func json(of run: RunSummary) -> JSON {
    switch value(run) {
    case .number(let number)?: Int(exactly: number).map(JSON.integer) ?? .double(number)
    case .text(let text)?: .text(text)
    case .texts(let texts)?: .array(texts.map(JSON.text))
    case nil: .null
    }
  }

  /// True if a run comes before another: values rise, and runs without a value come last.
  func precedes(_ a: RunSummary, _ b: RunSummary, isReversed: Bool) -> Bool {
    switch (value(a), value(b)) {
    case (.number(let a)?, .number(let b)?): isReversed ? a > b : a < b
    case (.text(let a)?, .text(let b)?): isReversed ? a > b : a < b
    case (.texts(let a)?, .texts(let b)?):
      isReversed ? b.lexicographicallyPrecedes(a) : a.lexicographicallyPrecedes(b)
    case (.some, nil): true
    default: false
    }
  }
}

/// A condition for a run to be listed: `state=finished`, `loss<3`, `name~kjv`.
struct RunFilter {
  private let column: RunColumn
  private let sign: String
  private let word: String

  /// - Throws: `UserError` if the text is not a condition.
  init(_ text: String) throws {
    let option = "--filter \(text)"
    // The longer signs first: `<=` is not `<` and a word that begins with `=`.
    let found = ["!=", "<=", ">=", "=", "<", ">", "~"].compactMap { sign in
      text.range(of: sign).map { (sign: sign, range: $0) }
    }.min { ($0.range.lowerBound, -$0.sign.count) < ($1.range.lowerBound, -$1.sign.count) }
    guard let found, found.range.lowerBound > text.startIndex else {
      throw UserError(.usage, "\(option): write a column, one of = != < <= > >= ~ and a value, such as loss<3")
    }
    column = try RunColumn(named: String(text[..<found.range.lowerBound]).trimmingSpaces, option: option)
    sign = found.sign
    word = String(text[found.range.upperBound...]).trimmingSpaces
    if sign.hasPrefix("<") || sign.hasPrefix(">"), Double(word) == nil {
      throw UserError(.usage, "\(option): \(word.quotation) is not a number to compare with")
    }
    if column.name == "state" { try checkState(option) }
  }

  /// - Throws: `UserError` that names the nearest state, if the condition is about a state that no run can have.
  private func checkState(_ option: String) throws {
    let states = RunStatus.allCases.map(\.rawValue) + [RunSummary.unreadable]
    let isPossible =
      switch sign {
      case "=", "!=": states.contains(word)
      case "~": states.contains { $0.contains(word) }
      default: true
      }
    guard !isPossible else { return }
    let meant =
      states.nearest(to: word).map { "did you mean \($0)?" } ?? "the states are \(states.joined(separator: ", "))"
    throw UserError(.usage, "\(option): there is no state \(word.quotation); \(meant)")
  }

  /// - Throws: `UserError` if numbers are compared with a word.
  func check(with runs: [RunSummary]) throws {
    guard sign == "=" || sign == "!=", Double(word) == nil else { return }
    for run in runs {
      if case .number? = column.value(run) {
        throw UserError(
          .usage,
          "--filter \(column.name)\(sign)\(word.excerpt): \(word.quotation) is not a number to compare with; write only digits, such as 6400"
        )
      }
    }
  }

  /// True if a run meets the condition. A missing value meets only `!=`.
  func admits(_ run: RunSummary) -> Bool {
    guard let value = column.value(run) else { return sign == "!=" }
    switch (value, Double(word)) {
    case (.number(let number), let other?):
      switch sign {
      case "=": return number == other
      case "!=": return number != other
      case "<": return number < other
      case "<=": return number <= other
      case ">": return number > other
      case ">=": return number >= other
      default: return column.cell(run).contains(word)
      }
    case (.text(let text), _) where sign == "=": return text == word
    case (.text(let text), _) where sign == "!=": return text != word
    case (.text(let text), _) where sign == "~": return text.contains(word)
    case (.texts(let texts), _) where sign == "=": return texts.contains(word)
    case (.texts(let texts), _) where sign == "!=": return !texts.contains(word)
    case (.texts(let texts), _) where sign == "~": return texts.contains { $0.contains(word) }
    case (.number, nil) where sign == "!=": return true
    case (.number, nil) where sign == "~": return column.cell(run).contains(word)
    default: return false
    }
  }
}

extension RunSummary {
  /// The word for the state of a run that cannot be read.
  static let unreadable = "unreadable"

  /// The run's state in a word.
  var word: String { state?.rawValue ?? Self.unreadable }

  /// True if the run's numbers were read: there are none of a run that cannot be read or is being started.
  var isRead: Bool { error == nil && state != .starting }
}
