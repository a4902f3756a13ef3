// The terminal while the dashboard has it: taken over, shown canvases, read for keys, and put back as it was. Only the
// main thread may touch it.
import CCurses
import Glibc
import TerminalUI

/// The reason why a screen cannot be shown; the program then prints lines.
package struct NoScreen: Error, Sendable, CustomStringConvertible {
  package let description: String
}

/// The one owner of the terminal. Letting go of it puts the terminal back.
package struct Screen: ~Copyable {
  /// How many colours are used.
  package let depth: ColourDepth
  /// Which characters the terminal can show.
  package let glyphs: Glyphs

  /// Whether curses itself speaks true colours to this terminal.
  private let hasDirectColours: Bool
  private let handle: OpaquePointer
  private let output: CInt
  private let writer: TerminalWriter
  private let overheard: CInt
  private let modes: termios
  /// Keys are read through a pad of its own: reading from a window would also draw it.
  let keyboard: UnsafeMutablePointer<WINDOW>
  /// What the terminal shows now; nil when that is not known.
  private var shown: Canvas?
  private var shownPalette = ""
  /// Colour pairs by ink.
  private var pairs: [Ink: CInt] = [:]
  private var hasCursor = false
  /// Whether the terminal reports its mouse.
  private let hasMouse: Bool
  /// The terminal's background, where it answered the question for it.
  package internal(set) var background: RGB?
  private var askedAt: ContinuousClock.Instant?
  /// Text from the clipboard that is being taken.
  var paste: PasteBuffer?
  /// Whether the terminal went away: no key will ever come again.
  package internal(set) var isGone = false

  private static let input: CInt = STDIN_FILENO
  /// Text from the clipboard comes in brackets, so that it is not taken for keys.
  private static let bracketedPasteOn = "\u{1B}[?2004h"
  private static let bracketedPasteOff = "\u{1B}[?2004l"

  /// Takes the terminal over. The program's own signal handlers must be installed before: curses' ones would end the
  /// program without saving.
  /// - Parameters:
  ///   - colours: what the user asked for; nil goes by `NO_COLOR` and the terminal.
  ///   - mouse: whether clicks and the wheel are wanted, where the terminal's description has them.
  ///   - output: a descriptor of the terminal, which stays the caller's.
  ///   - overheard: where what was printed meanwhile can be read without waiting, or -1. A program that dies shows it: it
  ///     says why.
  /// - Throws: `NoScreen` if input or output is not a terminal, or the terminal cannot move its cursor.
  package init(colours: ColourDepth?, mouse: Bool, output: CInt, overheard: CInt = -1) throws(NoScreen) {
    guard isatty(Self.input) == 1, isatty(output) == 1 else { throw NoScreen(description: "no terminal") }
    guard let name = Self.variable("TERM") else { throw NoScreen(description: "TERM is not set") }
    Self.chooseCharacterSet()
    guard foretop_knows(name, output) == 1 else {
      throw NoScreen(description: "the terminal “\(name)” is not known here (TERM)")
    }
    let canMove = foretop_string("cup") != nil
    foretop_forget()
    guard canMove else { throw NoScreen(description: "the terminal “\(name)” cannot move its cursor (TERM)") }

    var modes = termios()
    guard tcgetattr(Self.input, &modes) == 0 else { throw NoScreen(description: "no terminal") }
    Emergency.prepare()
    guard let writer = TerminalWriter(to: output) else {
      throw NoScreen(description: "the screen gets no descriptor or thread (\(String(cString: strerror(errno))))")
    }
    guard let handle = foretop_start(writer.descriptor) else {
      writer.close()
      throw NoScreen(description: "the terminal “\(name)” cannot show a screen (TERM)")
    }
    Emergency.arm(modes: modes, output: output, overheard: overheard, bytes: Self.wayBack)
    cbreak()
    noecho()
    curs_set(0)
    set_escdelay(25)
    keyboard = newpad(1, 1)
    keypad(keyboard, true)
    nodelay(keyboard, true)
    let reportsMouse = mouse && Self.knowsMouse
    Self.write(Self.bracketedPasteOn + (reportsMouse ? Self.mouseOn : ""), to: output)

    hasMouse = reportsMouse
    self.handle = handle
    self.output = output
    self.writer = writer
    self.overheard = overheard
    self.modes = modes
    depth = Self.depth(asked: colours)
    hasDirectColours = tigetflag("RGB") > 0
    glyphs =
      String(cString: foretop_codeset()).uppercased().replacingHyphens != "UTF8"
      ? .ascii : name == "linux" ? .blocks : .braille
    if depth != .mono {
      start_color()
      use_default_colors()
    }
    def_prog_mode()
    writer.interpose()
  }

  /// Asks the terminal for its background (OSC 11); the answer comes among the keys. Terminals without one say nothing.
  package mutating func askForBackground() {
    askedAt = .now
    Self.write("\u{1B}]11;?\u{1B}\\", to: writer.descriptor)
  }

  deinit {
    // A terminal that has no other screen to go back to goes on below this one: on a line of its own.
    wmove(foretop_stdscr(), foretop_lines() - 1, 0)
    wclrtoeol(foretop_stdscr())
    wrefresh(foretop_stdscr())
    leave()
    delwin(keyboard)
    delscreen(handle)
    close(writer.descriptor)
    writer.close()
  }

  /// Puts the terminal back as it was. One that takes no output for a second may lose its way back: its modes are set.
  package consuming func restore() {}

  /// Whether the terminal has taken all that was shown, and the next canvas with it. Showing one before that is allowed: it
  /// waits, and who shows it does not.
  package var isReady: Bool { writer.isEmpty }

  /// Cells across and down, as the terminal says now.
  package var size: (columns: Int, rows: Int) {
    mutating get {
      var window = winsize()
      if ioctl(output, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0,
        (CInt(window.ws_col), CInt(window.ws_row)) != (foretop_columns(), foretop_lines())
      {
        resizeterm(CInt(window.ws_row), CInt(window.ws_col))
        redrawAll()
      }
      return (Int(foretop_columns()), Int(foretop_lines()))
    }
  }

  /// Gives the terminal back for a while, as before stopping on ctrl-Z; `again` takes it once more.
  package mutating func suspend() { leave() }

  /// Has curses put the terminal back, and does what it does not: pastes, and the modes, which it cannot set through a pipe.
  private func leave() {
    endwin()
    // An answer that is still on its way would be typed into the shell.
    if background == nil, let askedAt, ContinuousClock.now - askedAt < .seconds(1) {
      usleep(50_000)
      tcflush(Self.input, TCIFLUSH)
    }
    Self.write((hasMouse ? Self.mouseOff : "") + Self.bracketedPasteOff, to: writer.descriptor)
    let isTaken = writer.finish(wayBack: Self.wayBack)
    var modes = modes
    tcsetattr(output, isTaken ? TCSADRAIN : TCSANOW, &modes)
    // What it does not take would hold up whoever closes it.
    if !isTaken { tcflush(output, TCOFLUSH) }
    Emergency.disarm()
  }

  /// Takes the terminal again after `suspend`; the next canvas is drawn whole.
  package mutating func redraw() {
    Emergency.arm(modes: modes, output: output, overheard: overheard, bytes: Self.wayBack)
    writer.withdraw()
    reset_prog_mode()
    writer.interpose()
    Self.write(Self.bracketedPasteOn + (hasMouse ? Self.mouseOn : ""), to: writer.descriptor)
    redrawAll()
  }

  /// Rings the bell, and sends a text as a notification (OSC 9), which terminals without notifications ignore.
  package mutating func ring(_ text: String) {
    let shown = String(
      text.unicodeScalars.filter { $0.properties.generalCategory != .control }.map(Character.init).prefix(200))
    Self.write("\u{7}\u{1B}]9;\(shown)\u{7}", to: writer.descriptor)
  }

  /// Forgets what the terminal shows, so that the next canvas is drawn whole.
  package mutating func redrawAll() {
    shown = nil
    clearok(foretop_curscr(), true)
  }

  /// Shows a canvas; only what differs from the last one is sent.
  package mutating func show(_ canvas: Canvas, palette: Palette) {
    guard shown != canvas || shownPalette != palette.name else { return }
    let window = foretop_stdscr()
    let rows = min(canvas.rows, Int(foretop_lines()))
    let columns = min(canvas.columns, Int(foretop_columns()))
    let last = shownPalette == palette.name ? shown : nil
    var line: [cchar_t] = []
    line.reserveCapacity(columns)
    for row in 0..<rows {
      let start = row * canvas.columns
      if let last, last.columns == canvas.columns, last.rows == canvas.rows,
        last.cells[start..<(start + columns)] == canvas.cells[start..<(start + columns)]
      {
        continue
      }
      line.removeAll(keepingCapacity: true)
      for cell in canvas.cells[start..<(start + columns)] where cell.width != 0 { line.append(curses(cell, palette)) }
      _ = line.withUnsafeBufferPointer { mvwadd_wchnstr(window, CInt(row), 0, $0.baseAddress, CInt($0.count)) }
    }
    if let cursor = canvas.cursor, cursor.column < columns, cursor.row < rows {
      wmove(window, CInt(cursor.row), CInt(cursor.column))
      if !hasCursor { curs_set(1) }
      hasCursor = true
    } else if hasCursor {
      curs_set(0)
      hasCursor = false
    }
    wnoutrefresh(window)
    doupdate()
    shown = canvas
    shownPalette = palette.name
  }

  private mutating func curses(_ cell: Cell, _ palette: Palette) -> cchar_t {
    var attributes: attr_t = 0
    var pair: CInt = 0
    let style = cell.style
    if style.attributes.contains(.bold) { attributes |= foretop_bold() }
    if style.attributes.contains(.underline) { attributes |= foretop_underline() }
    if style.attributes.contains(.reverse) { attributes |= foretop_reverse() }
    // Where the shades of a hue are one colour, what lies behind a line is dim.
    if style.tone.isBehind, depth == .palette16 { attributes |= foretop_dim() }
    switch palette.ink(style, depth: depth) {
    case .terminal:
      if style.attributes.contains(.dim) { attributes |= foretop_dim() }
    // Eight colours are made sixteen by bold.
    case .indexed(let index) where index >= 8 && foretop_colours() < 16:
      attributes |= foretop_bold()
      pair = self.pair(.indexed(index - 8), colour: CInt(index - 8))
    case .indexed(let index): pair = self.pair(.indexed(index), colour: CInt(index))
    case .rgb(let colour) where hasDirectColours:
      pair = self.pair(
        .rgb(colour), colour: CInt(colour.red) << 16 | CInt(colour.green) << 8 | CInt(colour.blue))
    case .rgb(let colour):
      // More colours than the palette has numbers: the nearest ones of it.
      pair = self.pair(.rgb(colour), colour: CInt(writer.number(of: colour) ?? colour.nearest256))
    }
    var result = cchar_t()
    let scalars = cell.character.unicodeScalars
    withUnsafeTemporaryAllocation(of: wchar_t.self, capacity: 5) { text in
      var count = 0
      for scalar in scalars.prefix(4) {
        text[count] = wchar_t(bitPattern: scalar.value)
        count += 1
      }
      text[count] = 0
      _ = foretop_cell(&result, text.baseAddress, attributes, pair)
    }
    return result
  }

  /// The pair of this colour on the terminal's own background; the terminal's own colours when no pair is left.
  private mutating func pair(_ ink: Ink, colour: CInt) -> CInt {
    if let pair = pairs[ink] { return pair }
    let pair = max(alloc_pair(colour, -1), 0)
    pairs[ink] = pair
    return pair
  }

  /// What the user asked for, then `NO_COLOR`, then what the terminal has.
  private static func depth(asked: ColourDepth?) -> ColourDepth {
    guard has_colors() else { return .mono }
    let has256 = tigetnum("colors") >= 256
    // Terminals say so by COLORTERM; terminfo rarely does.
    let saysTrue = ["truecolor", "24bit"].contains(variable("COLORTERM") ?? "")
    let most: ColourDepth =
      tigetflag("RGB") > 0 || (has256 && saysTrue) ? .truecolor : has256 ? .palette256 : .palette16
    if let asked {
      // Not more than the terminal's description has bytes for; true colours go in the place of those of the palette.
      let ladder: [ColourDepth] = [.mono, .palette16, .palette256, .truecolor]
      let limit: ColourDepth = has256 || tigetflag("RGB") > 0 ? .truecolor : .palette16
      return ladder[min(ladder.firstIndex(of: asked) ?? 0, ladder.firstIndex(of: limit) ?? 0)]
    }
    return variable("NO_COLOR") == nil ? most : .mono
  }

  /// Whether the environment asks for UTF-8, whatever locales are installed. Where no locale is set at all, as in a fresh
  /// container, terminals speak it.
  package static var isUTF8Asked: Bool {
    guard let name = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap({ variable($0) }).first else { return true }
    // `tr_TR.UTF-8`, `ca_ES.utf8@valencia`, and `UTF-8` alone, which ssh brings along from some systems.
    let set = name.split(separator: ".").last?.split(separator: "@").first ?? ""
    return set.uppercased().replacingHyphens == "UTF8"
  }

  /// The locale's characters. One that is not installed but asks for UTF-8 gets it from the locale that is always there.
  private static func chooseCharacterSet() {
    let isSilent = ["LC_ALL", "LC_CTYPE", "LANG"].allSatisfy { variable($0) == nil }
    // Characters only: numbers in files keep their points.
    if !isSilent, setlocale(LC_CTYPE, "") != nil { return }
    if isUTF8Asked, setlocale(LC_CTYPE, "C.UTF-8") != nil { return }
    setlocale(LC_CTYPE, "C")
  }

  /// What puts the terminal's looks back: attributes, colours, cursor, keypad, paste, and the screen from before.
  private static var wayBack: [UInt8] {
    let names = ["sgr0", "op", "cnorm", "rmkx"]
    let looks = names.compactMap { foretop_string($0).map { String(cString: $0) } }.joined()
    let bottom = foretop_string("rmcup").map { String(cString: $0) } ?? "\r\n"
    return Array((looks + (knowsMouse ? mouseOff : "") + bracketedPasteOff + bottom + "\r").utf8)
  }

  private static func write(_ text: String, to output: CInt) {
    var text = text
    text.withUTF8 { _ = Glibc.write(output, $0.baseAddress, $0.count) }
  }

  private static func variable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }
}

extension String {
  fileprivate var replacingHyphens: String { filter { $0 != "-" } }
}
