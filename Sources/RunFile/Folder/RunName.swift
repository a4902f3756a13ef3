// Names of runs: checks names, and finds free ones.
import Foundation
import Run

package enum RunName {
  /// Refuses names for new runs that are problematic as folders, or look like another name.
  /// - Throws: `UserError` with a sentence.
  package static func check(_ name: String) throws {
    try checkFolder(name)
    guard name.utf8.count <= 100 else {
      throw refusal(of: name, "it has \(name.utf8.count) bytes, and may have at most 100")
    }
    guard !name.hasPrefix("-") else { throw refusal(of: name, "it begins with “-”, like an option") }
    if let scalar = name.unicodeScalars.first(where: \.steersTerminals) {
      let code = String(scalar.value, radix: 16, uppercase: true)
      let digits = String(repeating: "0", count: max(0, 4 - code.count)) + code
      throw refusal(of: name, "it has a control character or one that cannot be seen, U+\(digits)")
    }
    guard name.trimmingSpaces == name else { throw refusal(of: name, "it begins or ends with a space") }
  }

  /// Refuses names that no existing run can have. Older versions of foretop accepted some names that `check` refuses;
  /// such runs can still be opened and removed.
  /// - Throws: `UserError` with a sentence.
  package static func checkFolder(_ name: String) throws {
    guard !name.isEmpty else { throw refusal(of: name, "it is empty") }
    guard !name.utf8.contains(UInt8(ascii: "/")) else {
      throw refusal(of: name, "it has a slash; use --runs to choose a folder")
    }
    guard !name.hasForeignBytes else { throw refusal(of: name, "it has bytes that are not UTF-8") }
    guard name.utf8.first != UInt8(ascii: ".") else { throw refusal(of: name, "it begins with a dot, which hides it") }
  }

  private static func refusal(of name: String, _ why: String) -> UserError {
    UserError(.usage, "“\(name)” cannot be the name of a run: \(why)")
  }

  /// The first of `base`, `base-2`, `base-3` … that is free.
  package static func nextFree(_ base: String, in directory: String) throws -> String {
    try check(base)
    // A directory that cannot be listed is said here.
    let there = Set(try FileSystem.names(in: directory))
    func isTaken(_ name: String) -> Bool { there.contains(name) && !isFree("\(directory)/\(name)") }
    guard isTaken(base) else { return base }
    var number = 2
    while isTaken("\(base)-\(number)") { number += 1 }
    return "\(base)-\(number)"
  }

  /// The first name that is free for a branch of a run, or of one of its branches: `NAME~2`, `NAME~3` …
  package static func nextBranch(of name: String, in directory: String) throws -> String {
    let base = base(ofBranch: name) ?? name
    var number = 2
    while !isFree("\(directory)/\(base)~\(number)") { number += 1 }
    let branch = "\(base)~\(number)"
    try check(branch)
    return branch
  }

  /// `NAME` of `NAME~2`; nil for a name that is not made that way.
  package static func base(ofBranch name: String) -> String? {
    guard let sign = name.lastIndex(of: "~"), sign > name.startIndex else { return nil }
    let number = name[name.index(after: sign)...]
    return !number.isEmpty && number.allSatisfy(\.isNumber) ? String(name[..<sign]) : nil
  }

  /// True if a run may begin in a folder: the folder does not exist, or has only leftovers of a process that was killed
  /// before its run began.
  /// - Parameter folder: `runs/NAME`.
  package static func isFree(_ folder: String) -> Bool {
    !FileSystem.exists(folder) || (UnstartedRun.isLeft(in: folder) && !RunLock.isHeld(folder: folder))
  }
}
