// The files that come with the program: recipes, layouts, the default corpus, tasks. They are found relative to the program, so
// that it runs from any folder.
import Corpus
import Foundation
import Run
import Session

/// The folder that has `recipes/`, `experiments/`, `layouts/`, `tasks/` and `corpora/`.
enum BundledFiles {
  /// The path of this program; nil without /proc.
  static let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")

  /// `../share/foretop` beside the folder of an installed program; otherwise the checkout above `.build`.
  static let folder: String? = {
    guard let program else { return nil }
    let bin = URL(filePath: program).deletingLastPathComponent()
    let installed = bin.deletingLastPathComponent().appending(path: "share/foretop")
    if has(installed, "recipes") { return path(installed) }
    var folder = bin
    while folder.pathComponents.count > 1 {
      folder.deleteLastPathComponent()
      if has(folder, "Package.swift"), has(folder, "recipes") { return path(folder) }
    }
    return nil
  }()

  private static func has(_ folder: URL, _ name: String) -> Bool {
    FileManager.default.fileExists(atPath: path(folder.appending(path: name)))
  }

  private static func path(_ url: URL) -> String {
    let path = url.path(percentEncoded: false)
    return path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
  }

  /// The names and paths of the files `NAME.yaml`, or of another ending, of one of its folders, sorted.
  static func files(in name: String, ending: String = ".yaml") -> [(name: String, path: String)] {
    guard let folder else { return [] }
    let files = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(name)")) ?? []
    let names = files.filter { $0.hasSuffix(ending) && !$0.hasPrefix(".") }.map { String($0.dropLast(ending.count)) }
    return names.sorted().map { ($0, "\(folder)/\(name)/\($0)\(ending)") }
  }

  /// The text for recipes without `data.paths`.
  static func defaultCorpus() throws -> String {
    if let folder {
      let path = "\(folder)/corpora/kjv.txt"
      if FileManager.default.fileExists(atPath: path) { return path }
    }
    throw UserError(
      .noInput, "the default corpus is missing: make it with “make setup”, or give a text with --data PATH")
  }

  /// The path of a text that comes with the program, such as `facts`; nil where a file or folder here has the name, or no text has.
  static func corpus(named name: String) -> String? {
    guard !name.contains("/"), !FileManager.default.fileExists(atPath: name) else { return nil }
    return files(in: "corpora", ending: ".txt").first { $0.name == name }?.path
  }

  /// The cache folder, for token files and tokenizers.
  static var cache: String {
    let environment = ProcessInfo.processInfo.environment
    if let cache = environment["XDG_CACHE_HOME"], cache.hasPrefix("/") { return cache + "/foretop" }
    if let home = environment["HOME"], home.hasPrefix("/") { return home + "/.cache/foretop" }
    return NSTemporaryDirectory() + "foretop-cache"
  }

  /// A file's text.
  static func text(at path: String, what: String) throws -> String {
    var isFolder: ObjCBool = false
    let isThere = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    guard !isFolder.boolValue else { throw UserError(.noInput, "\(path) is a folder: name the \(what)'s file in it") }
    var status = stat()
    if stat(path, &status) == 0 {
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw UserError(.data, "\(path) is a device, a pipe or a socket: give the \(what) as a file")
      }
      guard status.st_size <= 1 << 20 else {
        throw UserError(.data, "\(path) has \(status.st_size) bytes, too many for a \(what): give another file")
      }
    }
    guard let data = FileManager.default.contents(atPath: path) else {
      let reason = access(path, R_OK) == 0 ? "reading failed" : String(cString: strerror(errno))
      throw UserError(
        isThere ? .inputOutput : .noInput,
        isThere ? "the \(what) \(path) cannot be read: \(reason)" : "there is no \(what) \(path)")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw UserError(.data, "the \(what) \(path) is not text in UTF-8")
    }
    return text
  }
}

extension Corpus.Source {
  /// The source of a recipe's corpus; the default corpus if the recipe names no text.
  /// - Parameter runs: the folder of all runs, which holds the cache if the cache folder cannot be written.
  init(_ recipe: Recipe, runs: String) throws {
    let isMade = recipe.data.kind == .stargraph
    let paths = recipe.data.paths.isEmpty && !isMade ? [try BundledFiles.defaultCorpus()] : recipe.data.paths
    self.init(recipe, paths: paths, cache: BundledFiles.cache, runs: runs)
  }
}
