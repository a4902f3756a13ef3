// The terminal's colours and character set, as the environment describes them.
import CCurses
import Glibc
import TerminalUI

extension Screen {
  /// The user's choice, else `NO_COLOR`, else the terminal's depth.
  static func depth(asked: ColourDepth?) -> ColourDepth {
    guard has_colors() else { return .mono }
    let has256 = tigetnum("colors") >= 256
    // Terminals announce true colours in COLORTERM; terminfo rarely does.
    let saysTrue = ["truecolor", "24bit"].contains(variable("COLORTERM") ?? "")
    let most: ColourDepth =
      tigetflag("RGB") > 0 || (has256 && saysTrue) ? .truecolor : has256 ? .palette256 : .palette16
    if let asked {
      // At most the depth of the terminal's description; true colours replace those of its 256 colours on their way.
      let ladder: [ColourDepth] = [.mono, .palette16, .palette256, .truecolor]
      let limit: ColourDepth = has256 || tigetflag("RGB") > 0 ? .truecolor : .palette16
      return ladder[min(ladder.firstIndex(of: asked) ?? 0, ladder.firstIndex(of: limit) ?? 0)]
    }
    return variable("NO_COLOR") == nil ? most : .mono
  }

  /// True if the environment asks for UTF-8, whether or not the locale is installed, or sets no locale at all, as in a fresh
  /// container.
  package static var isUTF8Asked: Bool {
    guard let name = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap({ variable($0) }).first else { return true }
    // `tr_TR.UTF-8`, `ca_ES.utf8@valencia`, and `UTF-8` alone, which ssh passes on from some systems.
    let set = name.split(separator: ".").last?.split(separator: "@").first ?? ""
    return set.uppercased().replacingHyphens == "UTF8"
  }

  /// Sets the locale's character set. If a UTF-8 locale is not installed, C.UTF-8, which is always there, takes its place.
  static func chooseCharacterSet() {
    let isSilent = ["LC_ALL", "LC_CTYPE", "LANG"].allSatisfy { variable($0) == nil }
    // LC_CTYPE only, so that numbers keep their decimal points.
    if !isSilent, setlocale(LC_CTYPE, "") != nil { return }
    if isUTF8Asked, setlocale(LC_CTYPE, "C.UTF-8") != nil { return }
    setlocale(LC_CTYPE, "C")
  }

  static func variable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }
}

extension String {
  var replacingHyphens: String { filter { $0 != "-" } }
}
