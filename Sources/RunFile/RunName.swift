// Names of runs: what a folder in `runs/` may be called, and one that is free.
import Foundation
import Run

package enum RunName {
  /// Refuses a name that would make trouble as a folder.
  /// - Throws: `UserError` with a sentence.
  package static func check(_ name: String) throws {
    func refuse(_ why: String) -> UserError { UserError(.usage, "“\(name)” is no name for a run: \(why)") }
    guard !name.isEmpty else { throw refuse("it is empty") }
    guard name.utf8.count <= 100 else { throw refuse("it has \(name.utf8.count) bytes, and 100 are the most") }
    guard !name.contains("/") else { throw refuse("it has a slash; use --runs to choose a folder") }
    guard !name.hasPrefix(".") else { throw refuse("it begins with a dot, which hides it") }
    guard !name.hasPrefix("-") else { throw refuse("it begins with “-”, like an option") }
    guard name.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control && $0.value != 0x2028 }) else {
      throw refuse("it has a control character")
    }
    guard name.trimmingSpaces == name else { throw refuse("it begins or ends with a space") }
  }

  /// The first of `base`, `base-2`, `base-3` … that is free.
  package static func nextFree(_ base: String, in directory: String) throws -> String {
    try check(base)
    // A directory that cannot be listed is said here.
    let there = Set(try Folder.names(in: directory))
    func isTaken(_ name: String) -> Bool { there.contains(name) && !isFree("\(directory)/\(name)") }
    guard isTaken(base) else { return base }
    var number = 2
    while isTaken("\(base)-\(number)") { number += 1 }
    return "\(base)-\(number)"
  }

  /// Whether a run may begin in a folder: nothing is there, or what a process left that was killed before its run began.
  /// - Parameter folder: `runs/NAME`.
  package static func isFree(_ folder: String) -> Bool {
    !Folder.exists(folder) || (Unbegun.isLeft(in: folder) && !RunLock.isHeld(folder: folder))
  }
}
