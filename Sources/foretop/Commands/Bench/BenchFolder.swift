// The folder of a trial of the bench, with a text that nobody wrote.
import Foundation
import Glibc
import Run
import RunFile

enum BenchFolder {
  /// Makes a folder within `runs` for the duration of `body`, which gets its whole path: no relative one may stand in
  /// `$XDG_CONFIG_HOME`, and with the user's own preferences the screen would be another one.
  static func with<Result>(_ name: String, in runs: String, _ body: (String) throws -> Result) throws -> Result {
    for old in FileSystem.abandonedNames(in: runs, start: "\(name)-") {
      try? FileManager.default.removeItem(atPath: (runs as NSString).appendingPathComponent(old))
    }
    let folder = (runs as NSString).appendingPathComponent("\(name)-\(getpid())").absolutePath
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw UserError(
        .cannotCreate, "cannot create \(folder): \(error.localizedDescription); choose another disk with --runs")
    }
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try body(folder)
  }

  /// Writes words that nobody wrote, the same every time.
  /// - Parameter modulus: how many words differ.
  static func writeText(words count: Int, modulus: Int, to path: String) throws {
    let words = (0..<count).map { String(($0 &* 7919) % modulus, radix: 36) }
    let file = fopen(path, "w")
    let isWritten = file.map { fputs(words.joined(separator: " "), $0) >= 0 && fflush($0) == 0 } ?? false
    let reason = errno
    if let file { fclose(file) }
    guard isWritten else {
      throw UserError(
        .inputOutput, "cannot write \(path): \(SizeLimit.reason(reason)); or choose another disk with --runs")
    }
  }
}
