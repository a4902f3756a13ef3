// A screen with its content: a turn waits for a key or an event, and draws if something has changed.
import Curses
import Dashboard
import Foundation
import Run
import TerminalUI

/// The screen with its content. The end of its lifetime restores the terminal.
struct ScreenView<Content: ScreenContent>: ~Copyable {
  var content: Content
  private var screen: Screen
  private var streams: CapturedStreams
  private var layouts: LayoutFiles
  private var size = (columns: 0, rows: 0)
  private var lastFrame = 0.0
  /// When a terminal that had not taken everything is asked next, and after how many seconds then.
  private var nextTry = 0.0
  private var retry = firstRetry
  private static var firstRetry: Double { 0.004 }
  private var lastKey = 0.0
  /// When something came that the user waits for: the screen itself, a key, or what a key had read.
  private var lastAnswer = Clock.now
  /// Seconds between two keys after which they are unrelated.
  private static var pause: Double { Dashboard.noticeSeconds }
  private var hasHeard = false
  /// Seconds of CPU spent on keys since `second`.
  private var spent = 0.0
  private var second = 0.0
  /// When keys were last thrown away: a flood draws no more often than a run that nobody touches.
  private var lastFlood = 0.0
  /// What keys may take of a second: of a flood (a paste of megabytes, bytes without end) so little that the training is not
  /// slowed by it, and of keys that a person presses more.
  private static var mostSpent: (flood: Double, keys: Double) { (0.01, 0.1) }
  /// More bytes than a person's keys leave waiting.
  private static var flood: Int { 512 }
  /// True while the shell has the terminal and this process runs in the background.
  private var isAway = false
  /// The number of further lines of libraries that are shown.
  private var linesLeft = 100

  /// Frames per second at rest, and in the second after a key or an answer.
  private static var calm: Double { 1.0 / 4 }
  private static var lively: Double { 1.0 / 30 }

  private init(
    _ content: Content, on screen: consuming Screen, holding streams: consuming CapturedStreams,
    layouts: LayoutFiles
  ) {
    self.content = content
    self.screen = screen
    self.streams = streams
    self.layouts = layouts
  }

  /// Opens the screen. Returns nil if the terminal cannot show one; the reason is printed, unless there is no terminal at all.
  /// - Parameter content: makes the first content, in the characters that the terminal has.
  static func open(_ looks: LookOptions, _ layouts: LayoutFiles, showing content: (Glyphs) -> Content) -> ScreenView? {
    guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else { return nil }
    // In the background (`foretop train &`), taking the screen would stop the process.
    guard isInForeground, let streams = CapturedStreams() else { return nil }
    guard var screen = screen(looks, streams) else { return nil }
    // Characters that the terminal cannot show would make an empty picture, even if they are asked for.
    let ladder = Glyphs.allCases
    let asked = looks.glyphs.glyphs ?? screen.glyphs
    let isTooMuch = (ladder.firstIndex(of: asked) ?? 0) < (ladder.firstIndex(of: screen.glyphs) ?? 0)
    var content = content(isTooMuch ? screen.glyphs : asked)
    content.mostGlyphs = screen.glyphs
    content.hasShades = screen.depth == .truecolor || screen.depth == .palette256
    // Without a choice of colours, the terminal's background decides.
    if looks.isLight == nil, screen.depth != .mono { screen.askForBackground() }
    return ScreenView(content, on: screen, holding: streams, layouts: layouts)
  }

  private static func screen(_ looks: LookOptions, _ streams: borrowing CapturedStreams) -> Screen? {
    do {
      return try Screen(
        colours: looks.color.depth, mouse: looks.mouse, output: streams.terminal, overheard: streams.overheard)
    } catch {
      // Printed when the streams are restored.
      Output.warn("\(error), so that lines are printed instead of a screen")
      return nil
    }
  }

  /// The result of a turn.
  enum Turn {
    case nothing
    case asked(Content.Request)
    /// The terminal went away.
    case gone
  }

  /// Draws if something has changed, waits for a key and passes it to the content.
  /// - Parameter wake: a descriptor that ends the wait when it can be read.
  mutating func turn(wake: CInt) -> Turn {
    let request = request(wake: wake)
    if screen.isGone { return .gone }
    return request.map { .asked($0) } ?? .nothing
  }

  /// - Returns: the user's request.
  private mutating func request(wake: CInt) -> Content.Request? {
    let now = Clock.now
    let interval = now - lastAnswer < 1 && now - lastFlood > 1 ? Self.lively : Self.calm
    guard !isAway || returnFromShell() else {
      // The shell has the terminal: there is nothing to draw, and no key comes.
      var nothing = pollfd(fd: wake, events: Int16(POLLIN), revents: 0)
      _ = poll(&nothing, 1, 250)
      return nil
    }
    if layouts.changed(now: now) {
      content.use(layouts.layouts, problems: layouts.problems, time: Date().timeIntervalSince1970)
    }
    let size = screen.size
    if size != self.size {
      self.size = size
      content.fit(columns: size.columns, rows: size.rows)
      content.needsDrawing = true
      lastFrame = 0
    }
    content.pass(to: now)
    if content.hasClock, now - lastFrame >= 1 { content.needsDrawing = true }
    if content.needsDrawing, now - lastFrame >= interval * 0.99, now >= nextTry { draw(now) }
    let wait = content.needsDrawing ? max(max(lastFrame + interval, nextTry) - Clock.now, 0) : interval
    guard !isFlooded(now, wake: wake) else { return nil }
    let start = Self.threadTime
    let heard = screen.nextKey(waiting: Int((wait * 1000).rounded(.up)), wake: wake)
    spent += Self.threadTime - start
    hearBackground()
    guard let key = heard else { return nil }
    if key == .control("l") { screen.redrawAll() }
    if Clock.now - lastKey > Self.pause { content.forgetPrefix() }
    lastKey = Clock.now
    lastAnswer = lastKey
    let pressed = Self.threadTime
    let request = content.press(key)
    spent += Self.threadTime - pressed
    // A key is answered at once.
    if Clock.now - lastFrame >= (now - lastFlood > 1 ? Self.lively : Self.calm) { draw(Clock.now) }
    return request
  }

  /// Chooses the colours for a light background if the terminal reports one and the user has not chosen colours.
  private mutating func hearBackground() {
    guard !hasHeard, let background = screen.background else { return }
    hasHeard = true
    if background.brightness > 0.5 { content.suggest(.day) }
  }

  /// True if keys have used up their share of this second. What floods in is thrown away, so that the keyboard is there again
  /// at once; the training goes on.
  private mutating func isFlooded(_ now: Double, wake: CInt) -> Bool {
    if now - second >= 1 { (second, spent) = (now, 0) }
    guard spent > Self.mostSpent.flood else { return false }
    if screen.waitingBytes > Self.flood {
      lastFlood = now
      screen.dropKeys()
      content.say("keys arrive faster than they are read: some are dropped")
    } else if spent <= Self.mostSpent.keys {
      return false
    }
    var descriptor = pollfd(fd: wake, events: Int16(POLLIN), revents: 0)
    _ = poll(&descriptor, 1, CInt(min(max(second + 1 - now, 0), 0.1) * 1000) + 1)
    return true
  }

  /// Seconds of CPU of this thread.
  private static var threadTime: Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private mutating func draw(_ now: Double) {
    // A slow terminal gets fewer frames, not late ones. One that is only taking the first bytes is asked again in an instant.
    guard screen.isReady else {
      nextTry = now + retry
      retry = min(2 * retry, Self.calm)
      return
    }
    retry = Self.firstRetry
    content.needsDrawing = false
    screen.show(content.draw(size: size, now: Date().timeIntervalSince1970), palette: content.palette)
    lastFrame = now
  }

  /// Notes that something has come that the user waits for: it is shown at once.
  mutating func isAnswered() { lastAnswer = Clock.now }

  /// Rings the terminal's bell, and shows a notification if the terminal supports them.
  mutating func ring(_ text: String) { screen.ring(text) }

  /// Lines that libraries printed, made harmless; the first of a session only, since some print for every
  /// call.
  mutating func overheardLines() -> [String] {
    var lines: [String] = []
    for line in streams.lines() where linesLeft > 0 {
      guard line.unicodeScalars.contains(where: { !$0.steersTerminals }) else { continue }
      linesLeft -= 1
      lines.append(line.harmlessLine)
      if linesLeft == 0 { lines.append("a library prints a lot; its further lines are left out") }
    }
    return lines
  }

  /// Ctrl-Z: restores the terminal and stops the process; takes the terminal again when the shell continues the process.
  mutating func pauseForShell() {
    screen.suspend()
    kill(getpid(), SIGSTOP)
    isAway = true
  }

  private mutating func returnFromShell() -> Bool {
    // In the background, touching the terminal would stop the process, and the training with it.
    guard Self.isInForeground else { return false }
    screen.redraw()
    isAway = false
    content.needsDrawing = true
    lastFrame = 0
    return true
  }

  private static var isInForeground: Bool { tcgetpgrp(STDIN_FILENO) == getpgrp() }

  /// Seconds of a monotonic clock.
}

extension ScreenView where Content == Dashboard {
  /// The content, by the name that the loop over a session uses.
  var dashboard: Dashboard {
    _read { yield content }
    _modify { yield &content }
  }
}

extension Dashboard {
  /// Opens a screen with a dashboard in the user's time zone.
  init(_ mode: Mode, _ layouts: LayoutFiles, glyphs: Glyphs) {
    self.init(
      mode, layouts: layouts.layouts, startingWith: layouts.first, problems: layouts.problems,
      time: Date().timeIntervalSince1970, glyphs: glyphs, secondsFromGMT: Clock.secondsFromGMT)
  }
}
