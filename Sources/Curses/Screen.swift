// The terminal while the program owns it: takes it over, shows canvases, reads keys, and restores it. For the main thread only.
import CCurses
import Glibc
import TerminalUI

/// The reason why no screen can be shown; the program then prints lines.
package struct NoScreen: Error, Sendable, CustomStringConvertible {
  package let description: String
}

/// The owner of the terminal. Its destruction restores the terminal.
package struct Screen: ~Copyable {
  /// The colours in use.
  package let depth: ColourDepth
  /// The characters that the terminal can show.
  package let glyphs: Glyphs

  /// True if curses itself can send true colours to this terminal.
  private let hasDirectColours: Bool
  private let handle: OpaquePointer
  private let output: CInt
  private let writer: TerminalWriter
  private let overheard: CInt
  private let modes: termios
  /// A pad for reading keys, since reading from a window would also draw the window.
  let keyboard: UnsafeMutablePointer<WINDOW>
  /// The canvas on the terminal now; nil if unknown.
  private var shown: Canvas?
  private var shownPalette = ""
  /// Colour pairs by ink.
  private var pairs: [Ink: CInt] = [:]
  private var hasCursor = false
  /// True if the terminal reports its mouse.
  private let hasMouse: Bool
  /// True if the terminal's sequences are those of ECMA-48, so that unknown modes do nothing.
  private let hasModes: Bool
  /// The terminal's background colour; nil if the terminal has not reported one.
  package internal(set) var background: RGB?
  private var askedAt: ContinuousClock.Instant?
  /// The paste that is being read.
  var paste: PasteBuffer?
  /// True if the terminal is gone: no key will ever come again.
  package internal(set) var isGone = false

  private static let input: CInt = STDIN_FILENO
  /// Brackets around pasted text tell it from typed keys.
  private static let bracketedPasteOn = "\u{1B}[?2004h"
  private static let bracketedPasteOff = "\u{1B}[?2004l"
  /// Between these, a terminal that knows synchronized output (mode 2026) shows nothing, then the whole frame at once. Others ignore
  /// them, as they ignore every private mode that they do not know.
  private static let frameBegins = "\u{1B}[?2026h"
  private static let frameEnds = "\u{1B}[?2026l"

  /// Takes over the terminal. The program's own signal handlers must be installed before: those of curses would end the program
  /// without saving.
  /// - Parameters:
  ///   - colours: the user's choice; nil follows `NO_COLOR` and the terminal.
  ///   - mouse: true if clicks and the wheel are wanted, where the terminal's description has them.
  ///   - output: a descriptor of the terminal, which the caller keeps.
  ///   - overheard: a non-blocking descriptor with the text printed meanwhile, or -1. If the program dies, the text is shown,
  ///     since it says why.
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
    // Otherwise ctrl-C and ctrl-Z make the kernel drop what the terminal has not read yet, and cut an escape sequence in two.
    intrflush(nil, false)
    noecho()
    curs_set(0)
    set_escdelay(25)
    keyboard = newpad(1, 1)
    keypad(keyboard, true)
    nodelay(keyboard, true)
    let reportsMouse = mouse && Self.knowsMouse
    Self.write(Self.bracketedPasteOn + (reportsMouse ? Self.mouseOn : ""), to: output)

    hasMouse = reportsMouse
    hasModes = Self.hasModes
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

  /// Asks the terminal for its background colour (OSC 11). The answer arrives among the keys; some terminals do not answer.
  package mutating func askForBackground() {
    askedAt = .now
    Self.write("\u{1B}]11;?\u{1B}\\", to: writer.descriptor)
  }

  deinit {
    // On a terminal without an alternate screen, output continues below the picture, on a new line.
    wmove(foretop_stdscr(), foretop_lines() - 1, 0)
    wclrtoeol(foretop_stdscr())
    wrefresh(foretop_stdscr())
    leave()
    delwin(keyboard)
    delscreen(handle)
    close(writer.descriptor)
    writer.close()
  }

  /// Restores the terminal. If it takes no output for a second, only its modes are certain to be restored.
  package consuming func restore() {}

  /// True if the terminal has taken everything shown so far. A canvas may be shown earlier, too: it waits for the terminal, but
  /// the caller does not.
  package var isReady: Bool { writer.isEmpty }

  /// The terminal's size in cells, as it reports it now.
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

  /// Gives the terminal back for a while, as before stopping on ctrl-Z; `redraw` takes it again.
  package mutating func suspend() { leave() }

  /// Lets curses restore the terminal, then ends bracketed pastes and sets the modes, which curses cannot set through a pipe.
  private func leave() {
    endwin()
    // An answer still on its way would appear as typed text in the shell.
    if background == nil, let askedAt, ContinuousClock.now - askedAt < .seconds(1) {
      usleep(50_000)
      tcflush(Self.input, TCIFLUSH)
    }
    Self.write((hasMouse ? Self.mouseOff : "") + Self.bracketedPasteOff, to: writer.descriptor)
    let isTaken = writer.finish(wayBack: Self.wayBack)
    var modes = modes
    tcsetattr(output, isTaken ? TCSADRAIN : TCSANOW, &modes)
    // Bytes that the terminal does not take would block whoever closes it.
    if !isTaken { tcflush(output, TCOFLUSH) }
    Emergency.disarm()
  }

  /// Takes over the terminal again after `suspend`; the next canvas is drawn whole.
  package mutating func redraw() {
    Emergency.arm(modes: modes, output: output, overheard: overheard, bytes: Self.wayBack)
    writer.withdraw()
    reset_prog_mode()
    writer.interpose()
    Self.write(Self.bracketedPasteOn + (hasMouse ? Self.mouseOn : ""), to: writer.descriptor)
    redrawAll()
  }

  /// Rings the bell and sends the text as a notification (OSC 9); terminals without notifications ignore it.
  package mutating func ring(_ text: String) {
    let shown = String(
      text.unicodeScalars.filter { $0.properties.generalCategory != .control }.map(Character.init).prefix(200))
    Self.write("\u{7}\u{1B}]9;\(shown)\u{7}", to: writer.descriptor)
  }

  /// Forgets the canvas on the terminal, so that the next one is drawn whole.
  package mutating func redrawAll() {
    shown = nil
    clearok(foretop_curscr(), true)
  }

  /// Shows a canvas; only cells that differ from the last one are sent.
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
    if hasModes { Self.write(Self.frameBegins, to: writer.descriptor) }
    doupdate()
    if hasModes { Self.write(Self.frameEnds, to: writer.descriptor) }
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
    // With 16 colours a hue has no dark shade, so cells behind a line are dim.
    if style.tone.isBehind, depth == .palette16 { attributes |= foretop_dim() }
    switch palette.ink(style, depth: depth) {
    case .terminal:
      if style.attributes.contains(.dim) { attributes |= foretop_dim() }
    // Terminals with eight colours show the bright ones as bold.
    case .indexed(let index) where index >= 8 && foretop_colours() < 16:
      attributes |= foretop_bold()
      pair = self.pair(.indexed(index - 8), colour: CInt(index - 8))
    case .indexed(let index): pair = self.pair(.indexed(index), colour: CInt(index))
    case .rgb(let colour) where hasDirectColours:
      pair = self.pair(
        .rgb(colour), colour: CInt(colour.red) << 16 | CInt(colour.green) << 8 | CInt(colour.blue))
    case .rgb(let colour):
      // Once the palette's free numbers are used up, the nearest colour of the palette stands in.
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

  /// The colour pair for this ink on the terminal's own background; the terminal's default pair if none is left.
  private mutating func pair(_ ink: Ink, colour: CInt) -> CInt {
    if let pair = pairs[ink] { return pair }
    let pair = max(alloc_pair(colour, -1), 0)
    pairs[ink] = pair
    return pair
  }

  /// The bytes that restore the terminal: attributes, colours, cursor, keypad, pastes, and the screen from before.
  private static var wayBack: [UInt8] {
    let names = ["sgr0", "op", "cnorm", "rmkx"]
    let looks = names.compactMap { foretop_string($0).map { String(cString: $0) } }.joined()
    let bottom = (hasModes ? frameEnds : "") + (foretop_string("rmcup").map { String(cString: $0) } ?? "\r\n")
    return Array((looks + (knowsMouse ? mouseOff : "") + bracketedPasteOff + bottom + "\r").utf8)
  }

  private static var hasModes: Bool { foretop_string("cup").map { String(cString: $0).hasPrefix("\u{1B}[") } ?? false }

  private static func write(_ text: String, to output: CInt) {
    var text = text
    text.withUTF8 { _ = Glibc.write(output, $0.baseAddress, $0.count) }
  }
}
