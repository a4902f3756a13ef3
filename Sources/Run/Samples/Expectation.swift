// What the heads of a network expect after a text: the answer to `ask`.

/// What a network says of a text's next tokens.
package struct Expectation: Codable, Sendable, Equatable {
  /// A token in visible form, with its probability.
  package struct Choice: Codable, Sendable, Equatable {
    package var token: String
    package var probability: Float

    package init(token: String, probability: Float) {
      (self.token, self.probability) = (token, probability)
    }
  }

  /// The likeliest token of a head that predicts a further token.
  package struct FurtherChoice: Codable, Sendable, Equatable {
    /// The head's name: `mtp-2`.
    package var head: String
    package var choice: Choice

    package init(head: String, choice: Choice) {
      (self.head, self.choice) = (head, choice)
    }
  }

  /// The tokens that the network read, the last ones of the text that its context holds.
  package var context: [String]
  /// NTP's likeliest next tokens, the likeliest first; empty without NTP.
  package var next: [Choice]
  /// The likeliest token of each MTP head beyond the first.
  package var further: [FurtherChoice]
  /// TOP's first choices among the tokens that come soon; empty without TOP.
  package var ranking: [String]

  package init(context: [String], next: [Choice] = [], further: [FurtherChoice] = [], ranking: [String] = []) {
    self.context = context
    self.next = next
    self.further = further
    self.ranking = ranking
  }

  /// Choices that are told.
  package static let most = 8

  /// One line: `ntp beginning .41, end .12 · mtp-2 was .20 · top was and of`.
  package var line: String {
    func share(_ value: Float) -> String { Figure.share(Double(value)) }
    var parts: [String] = []
    if !next.isEmpty {
      parts.append("ntp " + next.map { "\($0.token.tokenLabel) \(share($0.probability))" }.joined(separator: ", "))
    }
    parts += further.map { "\($0.head) \($0.choice.token.tokenLabel) \(share($0.choice.probability))" }
    if !ranking.isEmpty { parts.append("top " + ranking.map(\.tokenLabel).joined(separator: " ")) }
    return parts.joined(separator: " · ")
  }

  /// An object with a key a head.
  package var json: JSON {
    var members = [JSON.Member("context", .array(context.map(JSON.text)))]
    if !next.isEmpty { members.append(JSON.Member("ntp", .array(next.map(\.json)))) }
    members += further.map { JSON.Member($0.head, $0.choice.json) }
    if !ranking.isEmpty { members.append(JSON.Member("top", .array(ranking.map(JSON.text)))) }
    return .object(members)
  }

  /// Reads what `json` makes; what is missing there is empty.
  package init(_ object: JSON) {
    func texts(_ key: String) -> [String] { object[key]?.elements?.compactMap(\.string) ?? [] }
    self.init(
      context: texts("context"), next: object["ntp"]?.elements?.compactMap(Choice.init) ?? [],
      further: Head.all.compactMap { head in
        guard let choice = object[head.name].flatMap(Choice.init) else { return nil }
        return FurtherChoice(head: head.name, choice: choice)
      }, ranking: texts("top"))
  }
}

extension Expectation.Choice {
  var json: JSON {
    .object([JSON.Member("token", .text(token)), JSON.Member("probability", .float(probability))])
  }

  fileprivate init?(_ object: JSON) {
    guard let token = object["token"]?.string else { return nil }
    self.init(token: token, probability: Float(object["probability"]?.number ?? .nan))
  }
}

extension String {
  /// A token for a list or a line. A token of spaces alone would be invisible, so its spaces become signs.
  package var tokenLabel: String { allSatisfy { $0 == " " } ? String(repeating: "␠", count: count) : self }
}
