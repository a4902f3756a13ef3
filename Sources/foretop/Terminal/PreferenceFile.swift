// Preferences are remembered in a file of the user's configuration folder.
import Dashboard
import Foundation
import Run
import TerminalUI

/// The preferences on the disk.
struct PreferenceFile {
  /// The preferences that were read; empty if the file is missing or invalid.
  let preferences: Preferences
  /// The error in the file, which is then ignored.
  let problem: String?
  private let path: String?

  init() {
    path = Self.path
    guard let path, FileManager.default.fileExists(atPath: path) else {
      (preferences, problem) = (Preferences(), nil)
      return
    }
    do {
      // On a narrow screen there is room for the reason, but not for a whole path and the reason.
      let source = path.split(separator: "/").suffix(2).joined(separator: "/")
      preferences = try Preferences(yaml: BundledFiles.text(at: path, what: "preferences file"), source: source)
      problem = nil
    } catch {
      preferences = Preferences()
      problem = "preferences ignored: \(error)".harmlessLine
    }
  }

  /// The preferences, with the colours that the command line asks for.
  func chosen(_ looks: LookOptions) -> Preferences {
    var chosen = preferences
    if looks.isLight == true { chosen.palette = Palette.day.name }
    return chosen
  }

  /// `$XDG_CONFIG_HOME/foretop/preferences.yaml`, or in `~/.config`.
  private static var path: String? {
    let environment = ProcessInfo.processInfo.environment
    if let folder = environment["XDG_CONFIG_HOME"], folder.hasPrefix("/") {
      return folder + "/foretop/preferences.yaml"
    }
    if let home = environment["HOME"], home.hasPrefix("/") { return home + "/.config/foretop/preferences.yaml" }
    return nil
  }

  /// Remembers the choices that were changed on a screen. An invalid file stays as it is, so that its owner can mend it.
  /// - Returns: the error, if the file cannot be written.
  func remember(_ before: Preferences, _ after: Preferences) -> String? {
    var new = preferences
    new.take(from: before, to: after)
    guard new != preferences, problem == nil, let path else { return nil }
    do {
      let folder = (path as NSString).deletingLastPathComponent
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try Data(new.yaml.utf8).write(to: URL(filePath: path), options: .atomic)
      return nil
    } catch {
      return "the choices made on the screen cannot be saved in \(path): \(error.localizedDescription)"
    }
  }
}
