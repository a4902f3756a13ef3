// What the network is trained to predict. The name of a head is the same in recipes, charts, JSON and run files.

/// A prediction head, and the loss that it is trained on: a row of the table, and a number where the row has several heads.
package struct Head: Hashable, Sendable {
  package let kind: HeadKind
  /// n of `mtp-n` and `jtp-n`; 1 for all others.
  package let number: Int

  package init(_ kind: HeadKind, number: Int = 1) {
    self.kind = kind
    self.number = number
  }

  package static let ntp = Head(.nextToken)
  package static func mtp(_ n: Int) -> Head { Head(.multiToken, number: n) }
  package static let top = Head(.tokenOrder)

  package static func == (a: Head, b: Head) -> Bool {
    a.number == b.number && (a.kind === b.kind || a.kind.name == b.kind.name)
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(kind.name)
    hasher.combine(number)
  }

  /// All possible heads, in the order of every output.
  package static var all: [Head] { HeadKind.all.flatMap(\.heads) }

  /// The largest n of `mtp`.
  package static let most = 16

  /// `ntp`, `mtp-2`, `top`.
  package var name: String { isNumbered ? "\(kind.name)-\(number)" : kind.name }

  /// True if several heads of its kind differ by their numbers.
  package var isNumbered: Bool { kind.isNumbered }

  /// True if the head has its own block and shares NTP's unembedding; other heads have their own unembedding on the
  /// trunk.
  package var hasBlock: Bool { kind.target == .furtherToken }
  /// True if the loss has a floor above zero, so that its KL divergence is reported, too.
  package var hasFloor: Bool { kind.hasFloor }
  /// True if the head predicts an order of tokens, whose ranking is measured.
  package var ranks: Bool { kind.ranks }
  /// True if the head predicts one token, so that its accuracy can be measured.
  package var hasAccuracy: Bool {
    switch kind.target {
    case .token, .furtherToken, .jointToken: true
    case .order, .discountedFuture, .bag: false
    }
  }

  /// The look of the head's line on a chart: heads of one kind differ by their number.
  package var look: HeadLook {
    isNumbered ? kind.look.numbered(number) : kind.look
  }
}

/// Coded like an enumeration with a case for each kind: `{"ntp":{}}`, `{"mtp":{"_0":2}}`, `{"top":{}}`.
extension Head: Codable {
  private struct HeadCodingKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }

    static let number = HeadCodingKey(stringValue: "_0")
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: HeadCodingKey.self)
    let names = container.allKeys.map(\.stringValue)
    func refusal(_ sentence: String) -> DecodingError {
      .dataCorrupted(DecodingError.Context(codingPath: decoder.codingPath, debugDescription: sentence))
    }
    guard names.count == 1, let kind = HeadKind.all.first(where: { $0.name == names[0] }) else {
      throw refusal("“\(names.joined(separator: ", "))” is not a head")
    }
    let place = try container.nestedContainer(
      keyedBy: HeadCodingKey.self, forKey: HeadCodingKey(stringValue: kind.name))
    let head = Head(kind, number: kind.isNumbered ? try place.decode(Int.self, forKey: .number) : 1)
    guard kind.heads.contains(head) else { throw refusal("“\(head.name)” is not a head") }
    self = head
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: HeadCodingKey.self)
    var place = container.nestedContainer(keyedBy: HeadCodingKey.self, forKey: HeadCodingKey(stringValue: kind.name))
    if isNumbered { try place.encode(number, forKey: .number) }
  }
}
