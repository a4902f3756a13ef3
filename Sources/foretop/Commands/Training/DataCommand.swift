// foretop data: the data of a recipe, before a network is trained on it.
import ArgumentParser
import Corpus
import Dashboard
import Foundation
import Run
import RunFile
import TerminalUI
import Training

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data",
    abstract: "Shows the data of a recipe: statistics of the text, windows as tokens, and their targets.",
    discussion: """
      On a terminal, a screen shows a window with the boundaries of its documents, the positions whose loss does not \
      count, and the targets of NTP, MTP and TOP at any position; ? lists the keys. Without a terminal, with --text or \
      --json, the same is printed. Windows are numbered from 0 in the order of training, which depends on the seed, and \
      are read by the code that trains. A tokenizer that is not in the cache is trained first.

      With --json, each window is an object on a line: {"window":0,"tokens":[…],"text":[…],"documents":[…],"mask":[…],\
      "ntp":[…],"top":[[[token,weight],…],…]}. For each position, documents has the number of the document, mask is true \
      where the loss counts, ntp has the next token or null, and top has the tokens of TOP's target with their weights, \
      nearest first. --json --summary prints the statistics of the text instead.

      --position N prints the targets of position N of each window as tables: what NTP, MTP and TOP are to predict there, \
      with the weights of TOP's target. objective.window, objective.temperature and objective.semantics shape these weights.

      --neighbours N shows the documents that are most like document N of the training part: the ten nearest ones with the \
      cosines of their TF-IDF vectors, which data.order: related uses too. If document N repeats another document, that document \
      is shown instead. Documents are numbered from 0 in the order of the text; data.separator divides files into documents.
      """)

  @Argument(help: ArgumentHelp("A name in recipes/ or a path to a YAML file.", valueName: "recipe"))
  var recipe = "default"

  @OptionGroup var changes: RecipeOptions

  @Option(value: "n", "Number of windows to print. Default: 1.")
  var windows: Int?

  @Option(value: "n", "The first window, from 0.")
  var first = 0

  @Option(value: "n", "Prints only the targets of this position of each window, from 0.")
  var position: Int?

  @Option(value: "n", "Shows the nearest neighbours of a document, from 0.")
  var neighbours: Int?

  @Flag(help: "Prints only the statistics of the text, without windows.")
  var summary = false

  @OptionGroup var shown: ShowingOptions

  func validate() throws {
    if let windows, windows < 0 { throw ValidationError("--windows must be at least 0, and \(windows) is not") }
    if let neighbours, neighbours < 0 {
      throw ValidationError("--neighbours must be at least 0, and \(neighbours) is not")
    }
    if let position, position < 0 {
      throw ValidationError("--position must be at least 0, and \(position) is not")
    }
    if position != nil, shown.json {
      throw ValidationError("--position prints tables: leave out --json, which has the targets of all positions")
    }
    if first < 0 { throw ValidationError("--first must be at least 0, and \(first) is not") }
  }

  func run() throws {
    let file = try RecipeFile(recipe)
    var origins = file.origins
    var recipe = try changes.applied(to: file.recipe, &origins)
    try recipe.validate(origins)
    if neighbours != nil, recipe.data.kind == .text { recipe.data.order = .related }
    if !recipe.tokenizer.model.isEmpty { try Sandbox.require(.tokenizer(recipe.tokenizer.model)) }
    let bar = SetupBar("data")
    // An error has a line of its own, too.
    defer { bar.clear() }
    let corpus = try Corpus(opening: try Corpus.Source(recipe, runs: shown.place.runs)) {
      bar.say($0)
    } progress: {
      bar.show($0, done: $1, total: $2)
    }
    bar.clear()
    for notice in corpus.notices { Output.warn(notice) }
    if let neighbours { return try printNeighbours(of: neighbours, corpus) }
    let windows = DataWindows(recipe, of: corpus)
    guard first < windows.count else {
      throw UserError(.usage, "--first \(first): the training part has \(windows.count) windows, from 0 on")
    }
    if let position { return try printTargets(at: position, windows, corpus) }
    let numbers = try DataSummary(file.name, windows, corpus)
    let isPrinted = shown.isPrinted || summary || self.windows != nil
    if !isPrinted, let status = try showScreen(numbers, windows, corpus) { throw Ended(status: status) }
    try printAll(numbers, windows, corpus)
  }

  /// - Returns: the exit status; nil if the terminal cannot show a screen.
  private func showScreen(_ numbers: DataSummary, _ windows: DataWindows, _ corpus: Corpus) throws -> Int32? {
    switch try showWindows(numbers, windows, corpus) {
    case .left(let status)?: return status
    // The other screen takes the terminal after this one has given it back.
    case .runs?: return try Browse.show(shown.place, shown.looks)
    case nil: return nil
    }
  }

  private func showWindows(
    _ numbers: DataSummary, _ windows: DataWindows, _ corpus: Corpus
  ) throws -> DataLoop.DataExit? {
    let page = DataPage(try windows.window(first), corpus.tokenizer, heads: numbers.multiTokenHeads)
    guard var loop = try DataLoop(numbers, page, shown.looks) else { return nil }
    return try loop.run { DataPage(try windows.window($0), corpus.tokenizer, heads: numbers.multiTokenHeads) }
  }

  private func printTargets(at position: Int, _ windows: DataWindows, _ corpus: Corpus) throws {
    let context = windows.recipe.model.context
    guard position < context else {
      throw UserError(.usage, "--position \(position): a window has \(context) positions, from 0 on")
    }
    for number in first..<min(first + (self.windows ?? 1), windows.count) {
      let window = try windows.window(number)
      print(DataPage(window, corpus.tokenizer, heads: windows.recipe.objective.mtp.heads).targets(at: position))
    }
  }

  private func printAll(_ numbers: DataSummary, _ windows: DataWindows, _ corpus: Corpus) throws {
    if summary, shown.json { return print(numbers.json.line) }
    if !shown.json { print(numbers.text) }
    guard !summary else { return }
    for number in first..<min(first + (self.windows ?? 1), windows.count) {
      let page = DataPage(try windows.window(number), corpus.tokenizer, heads: numbers.multiTokenHeads)
      print(shown.json ? page.json.line : "\n" + page.plain)
    }
  }
}

extension DataSummary {
  fileprivate init(_ name: String, _ windows: DataWindows, _ corpus: Corpus) throws {
    let recipe = windows.recipe
    let (counts, counted) = try windows.counts()
    let commonest = counts.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.prefix(50)
    self.init(
      name: name, corpus: corpus.summary, files: corpus.files,
      documents: corpus.training.hasDocuments ? corpus.documents : nil,
      bytes: corpus.bytes, trainingTokens: corpus.training.count, heldOutTokens: corpus.heldOut.count,
      vocabulary: corpus.tokenizer.vocabulary, unigramEntropy: corpus.unigramEntropy, context: recipe.model.context,
      windows: windows.count, tokensPerStep: recipe.tokensPerStep, steps: recipe.steps,
      orderWindow: recipe.objective.window > 0 ? recipe.objective.window : recipe.model.context,
      multiTokenHeads: recipe.objective.mtp.heads,
      commonest: commonest.map {
        TokenCount(token: Int($0.key), text: corpus.tokenizer.visible($0.key), count: $0.value)
      },
      counted: counted)
  }

  fileprivate var text: String {
    // Graphs are made as they are needed, and are in no file.
    let ofFiles = [
      ["files", Figure.grouped(files)],
      ["documents", documents.map(Figure.grouped) ?? "one text (data.documents: packed)"],
      ["bytes", "\(Figure.grouped(bytes)), \(Figure.fixed(bytesPerToken, 2)) a token"],
    ]
    let rows =
      [["recipe", name], ["text", corpus]] + (files > 0 ? ofFiles : []) + [
        ["tokens", "\(Figure.grouped(trainingTokens)) to train on, \(Figure.grouped(heldOutTokens)) held out"],
        ["vocabulary", Figure.grouped(vocabulary)],
        ["unigram entropy", "\(Figure.loss(unigramEntropy)) nats"],
        ["windows", "\(Figure.grouped(windows)) of \(context) tokens; TOP looks \(orderWindow) ahead"],
        ["training takes", passesWords],
      ]
    let tokens = commonest.prefix(20).map { entry in
      "“\(entry.text)” \(Figure.fixed(Double(entry.count) / Double(max(counted, 1)) * 100, 2)) %"
    }
    return TextTable.text(rows, right: []) + "\ncommonest tokens: " + tokens.joined(separator: "  ")
  }

  fileprivate var json: JSON {
    var members = [
      JSON.Member("recipe", .text(name)), JSON.Member("text", .text(corpus)), JSON.Member("files", .integer(files)),
      JSON.Member("bytes", .integer(bytes)), JSON.Member("trainingTokens", .integer(trainingTokens)),
      JSON.Member("heldOutTokens", .integer(heldOutTokens)), JSON.Member("bytesPerToken", .double(bytesPerToken)),
      JSON.Member("vocabulary", .integer(vocabulary)), JSON.Member("unigramEntropy", .double(unigramEntropy)),
      JSON.Member("context", .integer(context)), JSON.Member("windows", .integer(windows)),
      JSON.Member("passes", .double(passes)),
      JSON.Member(
        "commonest",
        .objects(commonest) { entry in
          [
            JSON.Member("token", .integer(entry.token)), JSON.Member("text", .text(entry.text)),
            JSON.Member("count", .integer(entry.count)),
          ]
        }), JSON.Member("counted", .integer(counted)),
    ]
    if let documents { members.insert(JSON.Member("documents", .integer(documents)), at: 3) }
    return .object(members)
  }
}

extension DataPage {
  /// - Parameter heads: how many tokens ahead NTP and the MTP heads predict.
  fileprivate init(_ window: DataWindows.DataWindow, _ tokenizer: Tokenizer, heads: Int) {
    let context = window.context
    let tokens = window.tokens.prefix(context)
    self.init(
      number: window.number, tokens: tokens.map { Int($0) }, text: tokens.map(tokenizer.visible),
      documents: window.documents.map { $0.prefix(context).map { Int($0) } }, mask: window.mask,
      next: (0..<context).map { window.token(ahead: 1, of: $0).map { Int($0) } },
      ahead: (0..<context).map { position in
        (1...max(heads, 1)).map { window.token(ahead: $0, of: position).map(tokenizer.visible) }
      },
      order: window.order.map { targets in
        targets.map {
          PageTarget(
            token: Int($0.token), text: tokenizer.visible($0.token), weight: Double($0.weight), distance: $0.distance)
        }
      })
  }

  /// The tokens, separated by bars; each document is a paragraph, and tokens without a target are in brackets.
  fileprivate var plain: String {
    var text = "window \(number)\n"
    for index in tokens.indices {
      if beginsDocument(index) { text += "\n║ document \(documents?[index] ?? 0)\n" }
      let isFirst = index == 0 || beginsDocument(index) || mask[index - 1]
      let isLast = index == tokens.count - 1 || beginsDocument(index + 1) || mask[index + 1]
      if !mask[index], isFirst { text += "⟨no target: " }
      text += self.text[index] + (!mask[index] && isLast ? "⟩" : "") + "│"
    }
    return text
  }

  /// The targets of a position, with a line for each of TOP's tokens whose weight is not 0 to four decimals.
  fileprivate func targets(at position: Int) -> String {
    var lines = ["window \(number), position \(position): “\(text[position])”"]
    guard mask[position] else { return lines[0] + ", where no loss counts" }
    for (index, word) in ahead[position].enumerated() {
      lines.append("\(index == 0 ? "NTP" : "MTP-\(index + 1)")  \(word.map { "“\($0)”" } ?? "no target")")
    }
    let seen = order[position].filter { $0.weight >= 0.00005 }
    let rows = seen.map { ["\($0.distance)", Figure.fixed($0.weight, 4), "“\($0.text)”"] }
    lines.append(TextTable.text([["AHEAD", "WEIGHT", "TOP"]] + rows, right: [0, 1]))
    let rest = order[position].count - seen.count
    if rest > 0 { lines.append("\(rest) more, which weigh less than 0.0001 each") }
    return lines.joined(separator: "\n")
  }

  fileprivate var json: JSON {
    .object([
      JSON.Member("window", .integer(number)), JSON.Member("tokens", .array(tokens.map(JSON.integer))),
      JSON.Member("text", .array(text.map(JSON.text))),
      JSON.Member("documents", .array((documents ?? tokens.map { _ in 0 }).map(JSON.integer))),
      JSON.Member("mask", .array(mask.map(JSON.flag))),
      JSON.Member("ntp", .array(next.map { $0.map(JSON.integer) ?? .null })),
      JSON.Member(
        "top",
        .array(order.map { .array($0.map { .array([.integer($0.token), .float(Float($0.weight))]) }) })),
    ])
  }
}
