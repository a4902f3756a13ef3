// What makes a YAML text dear to read, counted before it is parsed: aliases, and how deep it is. Quoted text, block text and
// comments are passed over: what stands there is text. Where the rules of libyaml leave a doubt, too much is counted.

struct YAMLScan {
  /// Asterisks where an alias can begin.
  private(set) var aliases = 0
  /// The first line that opens more than `deepest` lists and sections, counted from 1.
  private(set) var tooDeep: Int?

  private let bytes: [UInt8]
  private let deepest: Int
  private var index = 0
  private var line = 1
  private var lineStart = 0
  /// Lists and sections in brackets that are open.
  private var flow = 0
  /// Dashes and question marks that open levels on this line.
  private var marks = 0
  /// Where the last key, dash or question mark of this line began: what block text is indented from.
  private var parent: Int?
  /// Whether a value or a key can begin here.
  private var isStart = true
  /// Whether a colon needs no space after it: behind what ends by itself.
  private var isClosed = false

  init(_ yaml: String, deepest: Int) {
    bytes = Array(yaml.utf8)
    self.deepest = deepest
    while index < bytes.count && tooDeep == nil {
      if let length = breakLength {
        newLine(length)
      } else if isStart {
        begin()
      } else {
        goOn()
      }
    }
  }

  private var column: Int { index - lineStart }
  private var byte: UInt8 { bytes[index] }

  /// Whether the byte so far ahead is a space, a line's end or the text's.
  private func isBlank(_ ahead: Int) -> Bool {
    index + ahead >= bytes.count || bytes[index + ahead] <= 0x20 || length(ofBreakAt: index + ahead) != nil
  }

  /// Bytes of the line's end here: libyaml knows U+0085, U+2028 and U+2029 too.
  private var breakLength: Int? { length(ofBreakAt: index) }

  private func length(ofBreakAt place: Int) -> Int? {
    switch bytes[place] {
    case 0x0A, 0x0D: 1
    case 0xC2: bytes[place...].starts(with: [0xC2, 0x85]) ? 2 : nil
    case 0xE2:
      bytes[place...].starts(with: [0xE2, 0x80, 0xA8]) || bytes[place...].starts(with: [0xE2, 0x80, 0xA9]) ? 3 : nil
    default: nil
    }
  }

  private mutating func newLine(_ length: Int) {
    if byte != 0x0D || index + 1 == bytes.count || bytes[index + 1] != 0x0A { line += 1 }
    index += length
    lineStart = index
    (marks, parent, isStart, isClosed) = (0, nil, true, false)
  }

  private mutating func skipLine() {
    while index < bytes.count, breakLength == nil { index += 1 }
  }

  private mutating func open() {
    flow += 1
    index += 1
    (isStart, isClosed) = (true, false)
    if flow > deepest { tooDeep = line }
  }

  /// Ends a word, a quoted text or a bracket: only a colon or a comma begins something new on this line.
  private mutating func close() { (isStart, isClosed) = (false, true) }

  /// Reads what begins here.
  private mutating func begin() {
    switch byte {
    case UInt8(ascii: "*"):
      aliases += 1
      skipName()
      close()
    case UInt8(ascii: "\""), UInt8(ascii: "'"):
      parent = column
      skipQuoted()
      close()
    case UInt8(ascii: "#"): skipLine()
    case UInt8(ascii: "%") where column == 0: skipLine()
    case UInt8(ascii: "["), UInt8(ascii: "{"): open()
    case UInt8(ascii: "]"), UInt8(ascii: "}"):
      flow = max(0, flow - 1)
      index += 1
      close()
    case UInt8(ascii: "&"), UInt8(ascii: "!"): skipName()
    case UInt8(ascii: "|") where flow == 0, UInt8(ascii: ">") where flow == 0: skipBlock()
    case UInt8(ascii: "-") where column == 0 && bytes[index...].starts(with: "---".utf8) && isBlank(3): index += 3
    case UInt8(ascii: "-") where isBlank(1), UInt8(ascii: "?") where flow > 0 || isBlank(1),
      UInt8(ascii: ":") where flow > 0 || isBlank(1):
      if flow == 0 { marks += 1 }
      if marks > deepest { tooDeep = line }
      parent = column
      index += 1
    case 0...0x20, UInt8(ascii: ","): index += 1
    default:
      parent = column
      index += 1
      (isStart, isClosed) = (false, false)
    }
  }

  /// Goes on in a plain word, or behind what is closed.
  private mutating func goOn() {
    switch byte {
    case UInt8(ascii: ":") where isClosed || isBlank(1) || (flow > 0 && ",[]{}".utf8.contains(bytes[index + 1])):
      index += 1
      isStart = true
    case UInt8(ascii: ",") where flow > 0:
      index += 1
      isStart = true
    case UInt8(ascii: "["), UInt8(ascii: "{"): if flow > 0 { open() } else { index += 1 }
    case UInt8(ascii: "]") where flow > 0, UInt8(ascii: "}") where flow > 0:
      flow -= 1
      index += 1
      close()
    case UInt8(ascii: "#") where index > 0 && bytes[index - 1] <= 0x20: skipLine()
    default:
      if byte > 0x20 { isClosed = false }
      index += 1
    }
  }

  /// Passes over an alias, an anchor or a tag.
  private mutating func skipName() {
    index += 1
    while index < bytes.count, byte > 0x20, breakLength == nil, !(flow > 0 && ",[]{}:?".utf8.contains(byte)) {
      index += 1
    }
  }

  /// Passes over a text in quotation marks, and over the lines that it takes.
  private mutating func skipQuoted() {
    let mark = byte
    index += 1
    while index < bytes.count {
      if byte == mark {
        index += 1
        // Two single ones stand for one.
        guard mark == UInt8(ascii: "'"), index < bytes.count, byte == mark else { return }
        index += 1
      } else if byte == UInt8(ascii: "\\"), mark == UInt8(ascii: "\"") {
        index = min(index + 2, bytes.count)
      } else {
        if byte == 0x0A { line += 1 }
        index += 1
      }
    }
  }

  /// Passes over a block text: its first line, and all that are blank or indented more than what it belongs to.
  private mutating func skipBlock() {
    let least = parent.map { $0 + 1 } ?? column
    skipLine()
    while index < bytes.count, let length = breakLength {
      var next = index + length
      if byte == 0x0D, next < bytes.count, bytes[next] == 0x0A { next += 1 }
      let start = next
      while next < bytes.count, bytes[next] == 0x20 { next += 1 }
      let isEmpty = next == bytes.count || self.length(ofBreakAt: next) != nil
      guard isEmpty || next - start >= least else { return }
      line += 1
      (index, lineStart) = (next, start)
      skipLine()
    }
  }
}
