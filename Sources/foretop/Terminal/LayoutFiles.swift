// The layouts folder: read at the start, looked at once a second, read again when a file was saved.
import Dashboard
import Foundation
import Run

/// The layouts as they are on the disk.
struct LayoutFiles {
  private(set) var layouts: [Layout] = []
  /// What is wrong with files that could not be used.
  private(set) var problems: [String] = []
  /// The name of the layout shown first.
  private(set) var first = "train"
  /// Whether the command line says which one that is.
  private(set) var isAskedFor = false
  /// A layout file that the user gave by its path.
  private var extra: (name: String, path: String)?
  private var dates: [String: Date] = [:]
  private var lastLook = 0.0

  /// - Parameter word: a name in layouts/ or a path to a YAML file; nil for `train`.
  /// - Throws: `UserError` when there is no such layout, or the file that was asked for is no layout.
  init(startingWith word: String? = nil) throws {
    isAskedFor = word != nil
    if let word, word.contains("/") || word.hasSuffix(".yaml") {
      let layout = try Layout(yaml: BundledFiles.text(at: word, what: "layout"), source: word)
      extra = (layout.name, word)
      first = layout.name
    }
    read()
    guard let word, extra == nil else { return }
    let names = Set(layouts.map(\.name) + ["train"]).sorted()
    guard names.contains(word) else {
      let meant = names.nearest(to: word).map { "; did you mean \($0)?" } ?? "."
      throw UserError(
        .noInput,
        problems.first { $0.contains("/\(word).yaml") }
          ?? "there is no layout \(word.quotation)\(meant) There are \(names.joined(separator: ", "))")
    }
    first = word
  }

  private var files: [(name: String, path: String)] { BundledFiles.files(in: "layouts") + (extra.map { [$0] } ?? []) }

  private mutating func read() {
    layouts = []
    problems = []
    dates = [:]
    for file in files {
      dates[file.path] = Self.date(of: file.path)
      do {
        let layout = try Layout(yaml: BundledFiles.text(at: file.path, what: "layout"), source: file.path)
        layouts.removeAll { $0.name == layout.name }
        layouts.append(layout)
      } catch {
        problems.append("\(error)")
      }
    }
  }

  /// Looks once a second whether a file was saved, and reads them all again then.
  /// - Parameter now: seconds of a clock that never jumps.
  mutating func changed(now: Double) -> Bool {
    guard now - lastLook >= 1 else { return false }
    lastLook = now
    let dates = Dictionary(files.map { ($0.path, Self.date(of: $0.path)) }, uniquingKeysWith: { $1 })
    guard dates != self.dates.mapValues({ Optional($0) }) else { return false }
    read()
    return true
  }

  private static func date(of path: String) -> Date? {
    (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
  }
}
