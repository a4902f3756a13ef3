// A folder of files in memory that goes through a trace: what the kernel shows at each point, and what a disk may have of
// it when the power goes.
import Foundation
import Run

final class Disk {
  /// A file, whatever its names are.
  final class SimulatedFile {
    var content: [UInt8]
    /// As it was when it was last waited for; nil where it never was.
    var durable: [UInt8]?
    /// What came after that, in order.
    var pending: [Pending] = []

    init(_ content: [UInt8], isDurable: Bool) {
      self.content = content
      durable = isDurable ? content : nil
    }
  }

  enum Pending {
    case write(offset: Int, bytes: Range<Int>)
    case resize(Int)
  }

  /// A change of names: the file that a path has from then on, nil for none.
  struct Naming {
    var names: [(path: String, file: SimulatedFile?)]
    /// Whether an ordinary journaling file system has it on the disk; whether its folder was waited for.
    var isCommitted = false
    var isSynced = false
  }

  private let bytes: [UInt8]
  private var numbered: [UInt64: SimulatedFile] = [:]
  private var names: [String: SimulatedFile] = [:]
  private var namings: [Naming] = []
  private var durableNames: [String: SimulatedFile] = [:]
  private(set) var folders: Set<String> = []

  /// - Parameters:
  ///   - trace: whose bytes the changes speak of.
  ///   - start: a folder with what was there before; nil is an empty one.
  init(_ trace: Trace, from start: String?) throws {
    bytes = trace.bytes
    guard let start, let all = FileManager.default.enumerator(atPath: start) else { return }
    for case let path as String in all {
      var status = stat()
      if lstat(start + "/" + path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
        folders.insert(path)
      } else {
        let content = try Data(contentsOf: URL(fileURLWithPath: start + "/" + path))
        names[path] = SimulatedFile(Array(content), isDurable: true)
      }
    }
    durableNames = names
  }

  func apply(_ change: Trace.FileChange) {
    switch change {
    case .open(let number, let path, let isNew):
      if isNew {
        let file = SimulatedFile([], isDurable: false)
        numbered[number] = file
        name([(path, file)])
      } else if numbered[number] == nil {
        numbered[number] = names[path]
      }
    case .write(let number, let offset, let range):
      guard let file = numbered[number] else { return }
      write(offset, range, to: &file.content)
      file.pending.append(.write(offset: offset, bytes: range))
    case .resize(let number, let size):
      guard let file = numbered[number] else { return }
      resize(&file.content, to: size)
      file.pending.append(.resize(size))
    case .sync(let number):
      guard let file = numbered[number] else { return }
      file.durable = file.content
      file.pending = []
      for index in namings.indices { namings[index].isCommitted = true }
    case .syncFolder(let path):
      for index in namings.indices {
        namings[index].isCommitted = true
        if namings[index].names.allSatisfy({ Self.folder(of: $0.path) == path }) { namings[index].isSynced = true }
      }
      settleNames()
    case .rename(let old, let new): name([(old, nil), (new, names[old])])
    case .unlink(let path): name([(path, nil)])
    case .makeFolder(let path): folders.insert(path)
    case .removeFolder(let path): folders.remove(path)
    case .say: break
    }
  }

  private static func folder(of path: String) -> String { path.parentFolder }

  private func name(_ changes: [(path: String, file: SimulatedFile?)]) {
    for (path, file) in changes { names[path] = file }
    namings.append(Naming(names: changes))
  }

  /// Names at the front that are surely on the disk need not be kept apart.
  private func settleNames() {
    let count = namings.prefix { $0.isSynced }.count
    for naming in namings.prefix(count) { for (path, file) in naming.names { durableNames[path] = file } }
    namings.removeFirst(count)
  }

  private func write(_ offset: Int, _ range: Range<Int>, to content: inout [UInt8]) {
    if content.count < offset + range.count { resize(&content, to: offset + range.count) }
    content.replaceSubrange(offset..<offset + range.count, with: bytes[range])
  }

  private func resize(_ content: inout [UInt8], to size: Int) {
    if content.count > size {
      content.removeLast(content.count - size)
    } else {
      content.append(contentsOf: [UInt8](repeating: 0, count: size - content.count))
    }
  }

  // MARK: As files

  /// What a process would see, were this one killed when `count` bytes of its next change were taken.
  func place(tearing change: Trace.FileChange, after count: Int, at folder: String) throws {
    guard case .write(let number, let offset, let range) = change, let file = numbered[number] else {
      return try place(at: folder)
    }
    let before = file.content
    write(offset, range.lowerBound..<range.lowerBound + count, to: &file.content)
    try place(at: folder)
    file.content = before
  }

  /// What a process would see, were this one killed now.
  func place(at folder: String) throws { try place(names.mapValues(\.content), at: folder) }

  /// What a disk may have, were the power cut now.
  func place<Chance: RandomNumberGenerator>(afterCutBy chance: inout Chance, at folder: String) throws {
    var there = durableNames
    if Int.random(in: 0..<10, using: &chance) < 7 {
      // A journal of the file system: names change in order, and waiting for any file waits for those before.
      let sure = (namings.lastIndex(where: \.isCommitted) ?? -1) + 1
      for naming in namings.prefix(Int.random(in: sure...namings.count, using: &chance)) {
        for (path, file) in naming.names { there[path] = file }
      }
    } else {
      // What POSIX promises: a name is there when its folder was waited for.
      for naming in namings where naming.isSynced || Bool.random(using: &chance) {
        for (path, file) in naming.names { there[path] = file }
      }
    }
    let keep = [0.0, 0.1, 0.5, 0.9, 1.0].randomElement(using: &chance) ?? 0.5
    // In the order of their names, so that the same chances make the same disk.
    var files: [String: [UInt8]] = [:]
    for (path, file) in there.sorted(by: { $0.key < $1.key }) { files[path] = survivor(of: file, keep, &chance) }
    try place(files, at: folder)
  }

  /// A file after a cut: of what was not waited for, each sector is there, is not, or is neither; its size is one that it
  /// had.
  private func survivor<Chance: RandomNumberGenerator>(
    of file: SimulatedFile, _ keep: Double, _ chance: inout Chance
  ) -> [UInt8] {
    guard !file.pending.isEmpty || file.durable == nil else { return file.content }
    var content = file.durable ?? []
    var sizes = [content.count]
    let sector = Bool.random(using: &chance) ? 512 : 4096
    let garbled = Bool.random(using: &chance) ? 0.02 : 0
    for pending in file.pending {
      switch pending {
      case .resize(let size):
        if Double.random(in: 0..<1, using: &chance) < keep { resize(&content, to: size) }
        sizes.append(size)
      case .write(let offset, let range):
        sizes.append(max(sizes.last ?? 0, offset + range.count))
        var start = offset
        while start < offset + range.count {
          let end = min(offset + range.count, (start / sector + 1) * sector)
          let part = range.lowerBound + start - offset..<range.lowerBound + end - offset
          if Double.random(in: 0..<1, using: &chance) < keep { write(start, part, to: &content) }
          if garbled > 0, Double.random(in: 0..<1, using: &chance) < garbled {
            if content.count < end { resize(&content, to: end) }
            for place in start..<end { content[place] = UInt8.random(in: 0...255, using: &chance) }
          }
          start = end
        }
      }
    }
    if keep > 0, Int.random(in: 0..<3, using: &chance) == 0 {
      resize(&content, to: sizes.randomElement(using: &chance) ?? 0)
    }
    return content
  }

  private func place(_ files: [String: [UInt8]], at root: String) throws {
    try? FileManager.default.removeItem(atPath: root)
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    for folder in folders.sorted() {
      try FileManager.default.createDirectory(atPath: root + "/" + folder, withIntermediateDirectories: true)
    }
    for (path, content) in files {
      guard FileManager.default.createFile(atPath: root + "/" + path, contents: Data(content)) else {
        // Its folder was removed.
        continue
      }
    }
  }
}
