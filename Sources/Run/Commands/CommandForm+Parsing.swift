// Parses a line of text as a command, and completes the beginning of a line.

extension Command {
  /// Reads a line of the language: `rate 3e-4`, `weight top 0.5`, `note "text"`.
  /// - Throws: `UserError` that names the fault and what to type.
  package init(typed line: String) throws {
    guard line.utf8.count <= CommandForm.mostBytes else {
      throw UserError(.usage, "a command has at most \(CommandForm.mostBytes) bytes, and this has \(line.utf8.count)")
    }
    guard let (form, rest) = CommandForm.form(of: line) else {
      let word = line.split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
      guard !word.isEmpty else { throw UserError(.usage, "type a command, such as \(CommandForm.all[0].examples[0])") }
      let names = CommandForm.all.map { $0.name.split(separator: " ")[0] }.map(String.init)
      // The first word of several commands, without the second.
      let longer = CommandForm.all.filter { $0.name.hasPrefix(word + " ") }.map { "“\($0.usage)”" }
      guard longer.isEmpty else {
        throw UserError(.usage, "there is no command \(word.quotation), but \(longer.joined(separator: ", "))")
      }
      let advice =
        names.nearest(to: word).map { "; did you mean “\($0)”?" }
        ?? ": the commands are \(Array(Set(names)).sorted().joined(separator: ", "))"
      throw UserError(.usage, "there is no command \(word.quotation)\(advice)")
    }
    do {
      self = try form.command(rest)
    } catch let error as UserError {
      throw UserError(error.status, "\(form.name): \(error.message)")
    }
  }
}

extension CommandForm {
  /// The most bytes of a line: a note, and a few more.
  package static let mostBytes = 1000

  /// The table row with the longest name that a line begins with, and the text after the name; nil if there is no such
  /// row.
  package static func form(of line: String) -> (form: CommandForm, rest: String)? {
    let matches = all.compactMap { form in rest(of: line, after: form.name).map { (form: form, rest: $0) } }
    return matches.max { $0.form.name.count < $1.form.name.count }
  }

  /// The text after a name of one or two words; nil if the line begins with other words.
  private static func rest(of line: String, after name: String) -> String? {
    var rest = line.drop(while: \.isWhitespace)
    for word in name.split(separator: " ") {
      guard rest.hasPrefix(word) else { return nil }
      rest = rest.dropFirst(word.count)
      guard rest.isEmpty || rest.first?.isWhitespace == true else { return nil }
      rest = rest.drop(while: \.isWhitespace)
    }
    return String(rest).trimmingSpaces
  }

  /// The command with its arguments.
  fileprivate func command(_ rest: String) throws -> Command {
    if case .nothing(let command) = grammar {
      guard rest.isEmpty else {
        let longer = CommandForm.all.first { $0.name.hasPrefix(name + " ") }.map { "; there is also “\($0.usage)”" }
        throw UserError(.usage, "this command takes no argument: leave out \(rest.quotation)\(longer ?? "")")
      }
      return command
    }
    switch (grammar, rest.isEmpty) {
    case (.stepCount, true): return .step(1)
    case (.generation, true): return .generate
    case (.course(.hold), true): return .course(CourseChange(.hold))
    case (.course(.scaled), true): return .course(CourseChange(.scaled))
    case (.course(.scaled), false):
      throw UserError(.usage, "this command takes no argument: leave out \(rest.quotation)")
    default: break
    }
    if case .checkpoint = grammar, rest.isEmpty { return .back(.last) }
    guard !rest.isEmpty else {
      throw UserError(.usage, "\(arguments) is missing: type for example “\(examples[0])”")
    }
    switch grammar {
    case .nothing(let command): return command
    case .rate: return .rate(try RateChange(typed: rest))
    case .weight: return .weight(try Self.weight(rest))
    case .setting(let setting): return .setting(try SettingChange(typed: rest, for: setting))
    case .checkpoint: return .back(try BackTarget(typed: rest))
    case .condition: return .until(try PauseCondition(typed: rest))
    case .note: return .note(try Annotation.note.checked(Self.unquoted(rest)))
    case .prompt:
      return .prompt(try CommandText.checked(Self.unquoted(rest), "prompt", most: CommandText.mostOfPrompt))
    case .question:
      return .ask(try CommandText.checked(Self.unquoted(rest), "text", most: CommandText.mostOfQuestion))
    case .generation:
      return .generateFrom(try CommandText.checked(Self.unquoted(rest), "prompt", most: CommandText.mostOfPrompt))
    case .name: return .saveAs(try CommandText.checkedName(rest))
    case .course(let course): return .course(try CourseChange(typed: rest, for: course))
    case .stepCount:
      guard let count = Int(rest.filter { $0 != "_" }), (1...Self.mostSteps).contains(count) else {
        throw UserError(
          .usage, "\(rest.quotation) is not a number of steps from 1 to \(Self.mostSteps): type for example “step 5”")
      }
      return .step(count)
    case .probe:
      guard let number = Int(rest), (1...Self.mostProbes).contains(number) else {
        throw UserError(.usage, "\(rest.quotation) is not the number of a probe, from 1 on: type for example “probe 3”")
      }
      return .probe(number - 1)
    }
  }

  /// The most steps of one `step` command.
  package static let mostSteps = 1_000_000

  /// More than any run has.
  private static let mostProbes = 1000

  private static func weight(_ text: String) throws -> WeightChange {
    let words = text.split(maxSplits: 1, whereSeparator: \.isWhitespace).map(String.init)
    let kind = HeadKind.all.first { $0.isNumbered && $0.name == words[0] }
    guard let head = Head.all.first(where: { $0.name == words[0] }) ?? kind?.heads.first else {
      let meant = Head.all.map(\.name).nearest(to: words[0]).map { "; did you mean \($0)?" }
      throw UserError(.usage, "\(words[0].quotation) is not a head\(meant ?? ": heads are \(headNames)")")
    }
    guard words.count == 2 else {
      throw UserError(.usage, "the weight of \(words[0]) is missing: type for example “weight \(words[0]) 0.5”")
    }
    var change = try WeightChange(typed: words[1], for: head)
    change.isOfKind = kind != nil
    return change
  }

  /// The names of all possible heads: `ntp, mtp-2 to mtp-16, top, …`.
  private static var headNames: String {
    HeadKind.all.compactMap { kind -> String? in
      guard let first = kind.heads.first, let last = kind.heads.last else { return nil }
      return kind.isNumbered ? "\(first.name) to \(last.name)" : first.name
    }
    .joined(separator: ", ")
  }

  /// Removes quotation marks around the whole text.
  private static func unquoted(_ text: String) -> String {
    for mark in ["\"", "'"] where text.count >= 2 && text.hasPrefix(mark) && text.hasSuffix(mark) {
      return String(text.dropFirst().dropLast())
    }
    return text
  }

  // MARK: Completion

  /// The completions of a line by its next word, in the order of the table.
  /// - Parameter heads: the run's heads, for `weight`.
  package static func completions(of line: String, heads: [Head]) -> [String] {
    let text = String(line.drop(while: \.isWhitespace))
    let names = all.filter { $0.name.hasPrefix(text) && $0.name != text }.map { form in
      form.arguments.isEmpty ? form.name : form.name + " "
    }
    if let (form, rest) = form(of: text), case .weight = form.grammar, text.hasPrefix(form.name + " ") {
      let kinds = HeadKind.all.filter { kind in kind.isNumbered && heads.contains { $0.kind.name == kind.name } }
      let known = heads.map(\.name) + kinds.map(\.name)
      return known.filter { $0.hasPrefix(rest) && $0 != rest }.map { "\(form.name) \($0) " }
    }
    let whole = all.first { $0.name == text && !$0.arguments.isEmpty }.map { [$0.name + " "] } ?? []
    return whole + names
  }

  /// The longest common prefix of some lines.
  package static func commonPrefix(of lines: [String]) -> String {
    guard var prefix = lines.first else { return "" }
    for line in lines { prefix = prefix.commonPrefix(with: line) }
    return prefix
  }
}

extension String {
  fileprivate func commonPrefix(with other: String) -> String {
    String(zip(self, other).prefix { $0 == $1 }.map(\.0))
  }
}
