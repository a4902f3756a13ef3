// What of a run's files is read outside of the sandbox: the journal and the first bytes of run.h5.
import Foundation

@testable import RunFile

enum RunFiles {
  static func journal(_ bytes: [UInt8]) {
    FuzzTarget.withFile(Journal.magic + bytes) { path in
      if let contents = try? JournalContents(path) { try? contents.forEachStep { _ in } }
      _ = try? Journal.examined(path)
    }
    // Behind a checksum, which chance does not find.
    if !bytes.isEmpty { bytes.withUnsafeBytes { _ = Journal.entry($0) } }
  }

  static func superblock(_ bytes: [UInt8]) {
    guard var block = try? Superblock(bytes, path: "x") else { return }
    _ = block.isMarkedOpen
    block.close(end: bytes.count)
    FuzzTarget.withFile(bytes) { path in
      guard let file = try? FileDescriptor(opening: path, O_RDONLY) else { return }
      let length = try? Superblock.length(of: file)
      precondition(length.map { (0...bytes.count).contains($0) } ?? true, "a length beyond the file's end")
    }
  }
}
