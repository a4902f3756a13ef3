// What a recipe's key takes, in values and in words: the type behind `Recipe.fields`.

extension Recipe {
  /// A key of a recipe: what it takes, what it is for, and where its value is.
  package struct Field: Sendable {
    /// Dots between levels: `model.width`.
    package let key: String
    package let kind: Domain
    /// The effect of the key, in a few words.
    package let about: String
    package let read: @Sendable (Recipe) -> Content
    let write: @Sendable (inout Recipe, Content) -> Void
  }
}

extension Recipe.Field {
  /// The section that a key is in, empty for keys of their own, and its name there.
  package var section: Substring { key.lastIndex(of: ".").map { key[..<$0] } ?? "" }
  package var name: Substring { section.isEmpty ? key[...] : key.dropFirst(section.count + 1) }

  /// The value of a key.
  package enum Content: Sendable, Equatable {
    case integer(Int)
    case unsigned(UInt64)
    case number(Double)
    case flag(Bool)
    case text(String)
    case texts([String])
    case numbers([Double])

    package var json: JSON {
      switch self {
      case .integer(let value): .integer(value)
      case .unsigned(let value): .unsigned(value)
      case .number(let value): .double(value)
      case .flag(let value): .flag(value)
      case .text(let value): .text(value)
      case .texts(let values): .array(values.map(JSON.text))
      case .numbers(let values): .array(values.map(JSON.double))
      }
    }
  }

  /// The type of a key, and the values that are allowed.
  package enum Domain: Sendable {
    case integer(ClosedRange<Int>)
    case unsigned
    case number(Bounds)
    case flag
    case text
    case texts
    case numbers(Bounds)
    case choice([String])

    /// The range, to end the sentence “must be …”.
    package var words: String {
      switch self {
      case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
      case .unsigned: "a whole number from 0 to \(UInt64.max)"
      case .number(let bounds): "a number \(bounds.words)"
      case .flag: "true or false"
      case .text: "a string"
      case .texts: "a string or a list of strings"
      case .numbers(let bounds): "a list of numbers \(bounds.words)"
      case .choice(let choices): "one of \(choices.joined(separator: ", "))"
      }
    }

    /// Reads one plain word or number; nil where it is not what the key takes.
    func value(of text: String) -> Content? {
      switch self {
      case .integer(let range): whole(text).flatMap { range.contains($0) ? .integer($0) : nil }
      case .unsigned: UInt64(text.filter { $0 != "_" }).map(Content.unsigned)
      case .number(let bounds): decimal(text).flatMap { bounds.contains($0) ? .number($0) : nil }
      case .flag: text == "true" ? .flag(true) : text == "false" ? .flag(false) : nil
      case .text: .text(text)
      case .texts: .texts([text])
      case .numbers(let bounds): decimal(text).flatMap { bounds.contains($0) ? .numbers([$0]) : nil }
      case .choice(let choices): choices.contains(text) ? .text(text) : nil
      }
    }

    /// Reads a list of numbers; nil where one of them is not what the key takes.
    func value(ofAll texts: [String]) -> Content? {
      let values = texts.filter { !$0.isEmpty }.map { value(of: $0) }
      var numbers: [Double] = []
      for value in values {
        guard case .numbers(let one) = value else { return nil }
        numbers += one
      }
      return .numbers(numbers)
    }

    /// Also takes `2e4` and `10_000`.
    private func whole(_ text: String) -> Int? {
      Int(text.filter { $0 != "_" }) ?? decimal(text).flatMap(Int.init(exactly:))
    }

    /// Why a number that looks right is not taken, to end a sentence with; empty for others.
    func remark(on text: String) -> String {
      guard case .number(let bounds) = self, let used = decimal(text).flatMap({ bounds.rounding(of: $0) }) else {
        return ""
      }
      return bounds.use == .float
        ? ": it is used in fp32, where it becomes \(Float(used))" : ": it is used in fp64, where it becomes \(used)"
    }

    private func decimal(_ text: String) -> Double? {
      // Double reads hexadecimal, infinities and NaN as well; nobody means those here.
      guard text.allSatisfy({ "0123456789+-.eE_".contains($0) }) else { return nil }
      return Double(text.filter { $0 != "_" }).flatMap { $0.isFinite ? $0 : nil }
    }
  }

  /// Which numbers are taken.
  package struct Bounds: Sendable {
    enum Edge: Sendable { case including(Double), excluding(Double) }
    /// The type in which a number is used: a Double above 0 can become 0 as a Float.
    package enum Use: Sendable { case float, double }
    let lower: Edge
    let upper: Edge
    package let use: Use

    /// True if the number is in the range, also after rounding to the type in which it is used.
    package func contains(_ value: Double) -> Bool { holds(value) && rounding(of: value) == nil }

    /// What a number of the range becomes when it is used, where that is out of the range, or 0 and the number is not. Subnormal
    /// numbers become 0: the threads that compute flush them.
    func rounding(of value: Double) -> Double? {
      var used = use == .float ? Double(Float(value)) : value
      let least = use == .float ? Double(Float.leastNormalMagnitude) : Double.leastNormalMagnitude
      if abs(used) < least { used = 0 }
      guard holds(value), !holds(used) || (used == 0) != (value == 0) else { return nil }
      return used
    }

    private func holds(_ value: Double) -> Bool {
      let isHighEnough =
        switch lower {
        case .including(let bound): value >= bound
        case .excluding(let bound): value > bound
        }
      let isLowEnough =
        switch upper {
        case .including(let bound): value <= bound
        case .excluding(let bound): value < bound
        }
      return isHighEnough && isLowEnough
    }

    var words: String {
      switch (lower, upper) {
      case (.including(let low), .including(let high)): "from \(short(low)) to \(short(high))"
      case (.including(let low), .excluding(let high)): "from \(short(low)) to below \(short(high))"
      case (.excluding(let low), .including(let high)): "above \(short(low)) and at most \(short(high))"
      case (.excluding(let low), .excluding(let high)): "above \(short(low)) and below \(short(high))"
      }
    }

    private func short(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? "\(value)" }
  }
}
