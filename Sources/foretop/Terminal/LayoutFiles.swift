// The layouts folder: read at the start, and again whenever a file in it has changed, which is checked once a second.
import Dashboard
import Foundation
import Run

/// The layouts on the disk.
struct LayoutFiles {
  private(set) var layouts: [Layout] = []
  /// The errors of files that could not be used.
  private(set) var problems: [String] = []
  /// The name of the layout shown first.
  private(set) var first = "train"
  /// True if the command line names that layout.
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
          ?? "there is no layout \(word.quotation)\(meant) Give one of \(names.joined(separator: ", ")), or a YAML file"
      )
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

  /// Checks once a second whether a file has changed, and then reads all files again.
  /// - Parameter now: seconds of a monotonic clock.
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
