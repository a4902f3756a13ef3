// Widths of characters in cells, counted by scalars as ncurses and wcwidth do, so that canvas and terminal agree.

extension Unicode.Scalar {
  /// The scalar's width in cells: 0 (a combining mark), 1, or 2 (East Asian wide, emoji).
  package var width: Int {
    let value = self.value
    if value < 0x300 { return value == 0xAD ? 0 : 1 }
    if value < 0x1100 { return isJoining ? 0 : 1 }
    if isJoining { return 0 }
    return Self.wide.contains(where: { $0.contains(value) }) ? 2 : 1
  }

  private var isJoining: Bool {
    switch value {
    case 0x200B...0x200D, 0x2060...0x2064, 0xFE00...0xFE0F, 0xFEFF, 0x1160...0x11FF, 0xE0000...0xE0FFF: return true
    case 0x2500...0x28FF, 0x4E00...0x9FFF: return false
    default: break
    }
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark: return true
    default: return false
    }
  }

  /// Unicode's East Asian Width W and F, and emoji shown in two cells.
  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x231A...0x231B, 0x2329...0x232A, 0x23E9...0x23EC, 0x23F0...0x23F0, 0x23F3...0x23F3,
    0x25FD...0x25FE, 0x2614...0x2615, 0x2648...0x2653, 0x267F...0x267F, 0x2693...0x2693, 0x26A1...0x26A1,
    0x26AA...0x26AB, 0x26BD...0x26BE, 0x26C4...0x26C5, 0x26CE...0x26CE, 0x26D4...0x26D4, 0x26EA...0x26EA,
    0x26F2...0x26F3, 0x26F5...0x26F5, 0x26FA...0x26FA, 0x26FD...0x26FD, 0x2705...0x2705, 0x270A...0x270B,
    0x2728...0x2728, 0x274C...0x274C, 0x274E...0x274E, 0x2753...0x2755, 0x2757...0x2757, 0x2795...0x2797,
    0x27B0...0x27B0, 0x27BF...0x27BF, 0x2B1B...0x2B1C, 0x2B50...0x2B50, 0x2B55...0x2B55, 0x2E80...0x303E,
    0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3,
    0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6, 0x16FE0...0x18DFF,
    0x1AFF0...0x1B2FF, 0x1F004...0x1F004, 0x1F0CF...0x1F0CF, 0x1F18E...0x1F18E, 0x1F191...0x1F19A,
    0x1F200...0x1F265, 0x1F300...0x1F320, 0x1F32D...0x1F335, 0x1F337...0x1F37C, 0x1F37E...0x1F393,
    0x1F3A0...0x1F3CA, 0x1F3CF...0x1F3D3, 0x1F3E0...0x1F3F0, 0x1F3F4...0x1F3F4, 0x1F3F8...0x1F43E,
    0x1F440...0x1F440, 0x1F442...0x1F4FC, 0x1F4FF...0x1F53D, 0x1F54B...0x1F54E, 0x1F550...0x1F567,
    0x1F57A...0x1F57A, 0x1F595...0x1F596, 0x1F5A4...0x1F5A4, 0x1F5FB...0x1F64F, 0x1F680...0x1F6C5,
    0x1F6CC...0x1F6CC, 0x1F6D0...0x1F6D2, 0x1F6D5...0x1F6D7, 0x1F6DC...0x1F6DF, 0x1F6EB...0x1F6EC,
    0x1F6F4...0x1F6FC, 0x1F7E0...0x1F7EB, 0x1F7F0...0x1F7F0, 0x1F90C...0x1F93A, 0x1F93C...0x1F945,
    0x1F947...0x1F9FF, 0x1FA70...0x1FAFF, 0x20000...0x2FFFD, 0x30000...0x3FFFD,
  ]
}

extension String {
  /// The width on a canvas in cells.
  package var width: Int {
    var isASCII = true
    for byte in utf8 where byte >= 0x80 {
      isASCII = false
      break
    }
    return isASCII ? utf8.count : unicodeScalars.reduce(0) { $0 + $1.width }
  }

  /// The beginning of the text in at most `columns` cells; if text is omitted, the last cell is `…`.
  package func cut(to columns: Int) -> String {
    guard width > columns else { return self }
    return columns > 0 ? beginning(in: columns - 1) + "…" : ""
  }

  /// The longest beginning of at most `columns` cells.
  func beginning(in columns: Int) -> String {
    var result = String.UnicodeScalarView()
    var used = 0
    for scalar in unicodeScalars {
      guard used + scalar.width <= columns else { break }
      used += scalar.width
      result.append(scalar)
    }
    return String(result)
  }

  /// The end of the text in at most `columns` cells; if text is omitted, the first cell is `…`.
  package func cutFront(to columns: Int) -> String {
    guard width > columns else { return self }
    guard columns > 1 else { return columns == 1 ? "…" : "" }
    var kept: [Unicode.Scalar] = []
    var used = 0
    for scalar in unicodeScalars.reversed() {
      guard used + scalar.width <= columns - 1 else { break }
      used += scalar.width
      kept.append(scalar)
    }
    var result = String.UnicodeScalarView()
    result.append(contentsOf: kept.reversed())
    return "…" + String(result)
  }

  /// The text padded with spaces to `columns` cells; `alignment` is the side of the text.
  package func padded(to columns: Int, _ alignment: Alignment = .left) -> String {
    let missing = columns - width
    guard missing > 0 else { return self }
    let spaces = String(repeating: " ", count: missing)
    return alignment == .left ? self + spaces : spaces + self
  }

  /// The text wrapped into at most `most` lines; if text is omitted, the last one ends with `…`.
  package func wrapped(to columns: Int, most: Int) -> [String] {
    let lines = wrapped(to: columns)
    guard lines.count > most, most > 0 else { return lines }
    return lines.prefix(most - 1) + [lines[most - 1].beginning(in: max(columns - 2, 0)) + " …"]
  }

  /// The text wrapped into lines of at most `columns` cells, at spaces if possible, and at every line break.
  package func wrapped(to columns: Int) -> [String] {
    guard columns > 0 else { return [] }
    var lines: [String] = []
    for paragraph in split(separator: "\n", omittingEmptySubsequences: false) {
      var line = ""
      var used = 0
      for word in paragraph.split(separator: " ", omittingEmptySubsequences: true) {
        var rest = String(word)
        var width = rest.width
        if used > 0, used + 1 + width <= columns {
          line += " " + rest
          used += 1 + width
          continue
        }
        if used > 0 { lines.append(line) }
        while width > columns {
          // A word longer than a line is broken at the line's end; a character wider than a line has a line of its own.
          var head = rest.beginning(in: columns)
          if head.isEmpty { head = String(rest.unicodeScalars.prefix(1)) }
          lines.append(head)
          rest = String(rest.unicodeScalars.dropFirst(head.unicodeScalars.count))
          width = rest.width
        }
        (line, used) = (rest, width)
      }
      if used > 0 || paragraph.isEmpty { lines.append(line) }
    }
    return lines
  }
}

/// A side of a field.
package enum Alignment: Sendable { case left, right }
