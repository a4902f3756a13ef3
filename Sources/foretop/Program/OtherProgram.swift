// Programs of the machine that foretop asks for something: those of Slurm, and the one that converts pictures.
import Foundation
import Run

/// Another program, by its name in PATH.
enum OtherProgram {
  /// True if PATH has a program of this name.
  static func isThere(_ name: String) -> Bool {
    let folders = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
    return folders.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
  }

  /// Runs a program until it ends.
  /// - Parameters:
  ///   - input: what the program reads.
  ///   - advice: what is said, after the program's name, if PATH lacks it.
  /// - Returns: what the program printed.
  /// - Throws: `UserError` with the program's words when it fails, or with the advice.
  static func output(
    of program: String, _ words: [String], input: String? = nil, advice: String
  ) throws -> Data {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [program] + words
    let (output, errors) = (Pipe(), Pipe())
    (process.standardOutput, process.standardError) = (output, errors)
    do {
      process.standardInput = try input.map(Self.file) ?? FileHandle.nullDevice
      try process.run()
    } catch {
      throw UserError(error, .unavailable, while: "starting \(program)")
    }
    let said = output.fileHandleForReading.readDataToEndOfFile()
    // A few lines, which a pipe holds.
    let complaint = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      let reason =
        process.terminationStatus == 127
        ? "\(program) \(advice)" : "\(program) refuses: \(complaint.trimmingSpaces.harmlessLine)"
      throw UserError(.unavailable, reason)
    }
    return said
  }

  /// A file with this text, to be read from its beginning. Unlike a pipe it waits for no reader.
  private static func file(of text: String) throws -> FileHandle {
    let file = FileHandle(fileDescriptor: try namelessFile(for: "a program's input"), closeOnDealloc: true)
    try file.write(contentsOf: Data(text.utf8))
    try file.seek(toOffset: 0)
    return file
  }

  /// Makes a file without a name, which is gone when it is closed.
  /// - Parameter purpose: what it is for, for the error.
  /// - Returns: its descriptor, which programs do not inherit.
  /// - Throws: `UserError` when the temporary folder takes no file.
  static func namelessFile(for purpose: String) throws -> CInt {
    var path = Array((NSTemporaryDirectory() + "foretop-XXXXXX").utf8CString)
    let file = mkstemp(&path)
    guard file >= 0 else {
      throw UserError(.unavailable, "no file for \(purpose) can be made: \(String(cString: strerror(errno)))")
    }
    unlink(path)
    _ = fcntl(file, F_SETFD, FD_CLOEXEC)
    return file
  }
}
