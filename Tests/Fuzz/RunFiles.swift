// What of a run's files is read outside of the sandbox: the journal and the first bytes of run.h5.
@testable import RunFile

enum RunFiles {
  static func journal(_ bytes: [UInt8]) {
    Target.withFile(Journal.magic + bytes) { path in
      _ = try? Journal.entries(path)
      _ = try? Journal.examined(path)
    }
    // Behind a checksum, which chance does not find.
    if !bytes.isEmpty { bytes.withUnsafeBytes { _ = Journal.entry($0) } }
  }

  static func superblock(_ bytes: [UInt8]) {
    guard var block = try? Superblock(bytes, path: "x") else { return }
    _ = block.isMarkedOpen
    block.close(end: Superblock.end(of: bytes.count))
  }
}
