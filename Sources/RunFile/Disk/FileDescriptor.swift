// Files as the kernel sees them: what HDF5 does not do. Every failure names the path and the kernel's reason.
import CHDF5
import Foundation
import Run

/// An open file that closes itself.
struct FileDescriptor: ~Copyable {
  let number: Int32
  let path: String

  /// Opens, or with `O_CREAT` creates, a file that only its owner may read and write where `mode` says no more. Nothing is
  /// written through a link, and nobody waits for the other end of a pipe.
  init(opening path: String, _ flags: Int32, mode: mode_t = 0o600) throws {
    let isWritten = flags & O_ACCMODE != O_RDONLY
    let opened = open(path, flags | O_CLOEXEC | O_NONBLOCK | (isWritten ? O_NOFOLLOW : 0), mode)
    guard opened >= 0 else {
      if errno == ELOOP && isWritten {
        throw UserError(
          .inputOutput, "\(path) is a link, and foretop does not write through links: put the file itself there")
      }
      let verb = flags & O_CREAT == 0 ? "open" : "create"
      throw Failure(verb, path, errno == ENOENT ? .noInput : flags & O_CREAT == 0 ? .inputOutput : .cannotCreate).error
    }
    var status = stat()
    let kind = fstat(opened, &status) == 0 ? status.st_mode & S_IFMT : S_IFREG
    guard kind == S_IFREG || kind == S_IFDIR else {
      close(opened)
      throw UserError(.data, "\(path) is a device, a pipe or a socket, and must be a file")
    }
    self.path = path
    number = opened
  }

  deinit { close(number) }

  func size() throws -> Int {
    var status = stat()
    guard fstat(number, &status) == 0 else { throw Failure("examine", path).error }
    return Int(status.st_size)
  }

  /// Refuses a file that is far larger than what is stored of it: see `StoredSize`.
  func requireStored() throws { try StoredSize.check(number, path: path) }

  /// Reads up to `count` bytes; fewer where the file ends.
  func read(at offset: Int, count: Int) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      filled = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
    }
  }

  /// Fills a buffer; returns how many bytes there were.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
    var done = 0
    while done < buffer.count {
      let got = pread(number, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
      if got < 0 && errno == EINTR { continue }
      if got < 0 { throw Failure("read", path).error }
      if got == 0 { break }
      done += got
    }
    return done
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < bytes.count {
      let put = pwrite(number, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      if put < 0 && errno == EINTR { continue }
      if put <= 0 { throw Failure("write", path).error }
      done += put
    }
  }

  func write(_ bytes: [UInt8], at offset: Int) throws { try bytes.withUnsafeBytes { try write($0, at: offset) } }

  func resize(to size: Int) throws {
    guard ftruncate(number, off_t(size)) == 0 else { throw Failure("write", path).error }
  }

  /// Makes sure that the disk has room up to a size, without changing the file's. Where the file system cannot tell, it
  /// is taken to have.
  /// - Parameter isEstimate: whether the file may well end before that, so that the limit on sizes is not asked.
  /// - Returns: the kernel's refusal, nil where it has room.
  static func reserve(
    _ descriptor: Int32, from start: Int = 0, to end: Int, path: String, isEstimate: Bool = false
  ) -> UserError? {
    // Room that does not change the size passes the limit on sizes on some file systems; a write into it then would not.
    if !isEstimate, end > SizeLimit.largest {
      errno = EFBIG
      return Failure("write", path).error
    }
    // The kernel takes what there is before it finds that it is not enough, and all others on the disk have none then.
    var status = stat()
    if let free = freeBytes(of: descriptor), fstat(descriptor, &status) == 0,
      min(end - start, end - Int(status.st_blocks) * 512) > free
    {
      errno = ENOSPC
      return Failure("write", path).error
    }
    if file_reserve(descriptor, Int64(start), Int64(end - start)) == 0 || errno == EOPNOTSUPP || errno == ENOSYS {
      return nil
    }
    return Failure("write", path).error
  }

  /// What the file system of an open file has left for this user; nil where it does not say.
  static func freeBytes(of descriptor: Int32) -> Int? {
    var status = statvfs()
    guard fstatvfs(descriptor, &status) == 0, status.f_blocks > 0 else { return nil }
    let blocks = geteuid() == 0 ? status.f_bfree : status.f_bavail
    let (bytes, isTooMany) = Int(clamping: blocks).multipliedReportingOverflow(by: Int(clamping: status.f_frsize))
    return isTooMany ? .max : bytes
  }

  /// Gives back the room beyond the file's end.
  func giveBackReserve() throws { try resize(to: size()) }

  /// Finds out whether the disk has room for a file that is not there yet and will have so many bytes at most.
  static func requireRoom(_ bytes: Int, at path: String) throws {
    let file = try FileDescriptor(opening: path, O_RDWR | O_CREAT | O_EXCL)
    let failure = reserve(file.number, to: bytes, path: path, isEstimate: true)
    try FileSystem.remove(path)
    if let failure { throw failure }
  }

  /// Waits until the content, and what finding it again needs, is on the disk.
  func syncData() throws {
    guard fdatasync(number) == 0 else { throw Failure("write", path).error }
  }

  /// Waits until the content is on the disk.
  func sync() throws {
    guard fsync(number) == 0 else { throw Failure("write", path).error }
  }
}

/// What the kernel refused.
struct Failure {
  let error: UserError

  /// - Parameter verb: what was tried: `open`, `write`.
  init(_ verb: String, _ path: String, _ status: UserError.Status = .inputOutput) {
    error = UserError(status, "cannot \(verb) \(path): \(SizeLimit.reason(errno))")
  }
}

extension UserError {
  /// Whether the kernel refused to read or to open, or to start who examines: a file may be as good as ever, and be read later.
  /// That is no damage, in whose place something else could be put.
  var isRefusalToRead: Bool {
    if status == .unavailable { return true }
    return [EIO, EACCES, EPERM, EMFILE, ENFILE, ENOMEM, ESTALE, ENODEV, ENXIO, ETIMEDOUT].contains {
      message.hasSuffix(": " + String(cString: strerror($0)))
    }
  }
}

/// What a body makes of a file; nil where the file is damaged or missing.
/// - Throws: `UserError` where the kernel refuses to read: what is there is not known then.
func unlessDamaged<Made>(_ body: () throws -> Made?) throws -> Made? {
  do {
    return try body()
  } catch let error as UserError where error.isRefusalToRead {
    throw error
  } catch { return nil }
}

/// Folders and the names in them.
enum FileSystem {
  /// Makes a folder that only its owner may enter.
  static func create(_ path: String) throws {
    guard mkdir(path, 0o700) == 0 else { throw Failure("create", path, .cannotCreate).error }
  }

  /// Makes a folder and those above it, where they do not exist.
  static func createAll(_ path: String) throws {
    if exists(path) { return }
    let parent = path.parentFolder
    if !parent.isEmpty { try createAll(parent) }
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw Failure("create", path, .cannotCreate).error }
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// The names in it, sorted; empty where there is no such folder.
  static func names(in path: String) throws -> [String] {
    guard let stream = opendir(path) else {
      if errno == ENOENT { return [] }
      throw Failure("list", path).error
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Waits until its list of names is on the disk.
  static func sync(_ path: String) throws {
    let folder = try FileDescriptor(opening: path, O_RDONLY | O_DIRECTORY)
    try folder.sync()
  }

  static func rename(_ old: String, _ new: String) throws {
    guard Foundation.rename(old, new) == 0 else { throw Failure("rename", old).error }
  }

  /// Copies a file; the copy is on the disk when this returns.
  /// - Parameters:
  ///   - spare: bytes that the copy must be able to grow by, which is tried.
  ///   - shouldContinue: asked piece by piece; with false the copy is left as it is.
  /// - Throws: `UserError` when it claims far more bytes than are stored, or the disk has no room.
  static func copy(_ old: String, to new: String, spare: Int, while shouldContinue: () -> Bool = { true }) throws {
    let from = try FileDescriptor(opening: old, O_RDONLY)
    let length = try Superblock.length(of: from)
    let to = try FileDescriptor(opening: new, O_RDWR | O_CREAT | O_TRUNC)
    // Who may read the one may read the other.
    var status = stat()
    if fstat(from.number, &status) == 0 { fchmod(to.number, status.st_mode & 0o777) }
    // Where there is no room for all of it, nothing is written first.
    if let failure = FileDescriptor.reserve(to.number, to: length + spare, path: new) { throw failure }
    var writeback = Writeback()
    var offset = 0
    while shouldContinue(), offset < length {
      let piece = try from.read(at: offset, count: min(Writeback.window, length - offset))
      if piece.isEmpty { break }
      try to.write(piece, at: offset)
      writeback.wrote(offset..<offset + piece.count, to: to)
      offset += piece.count
    }
    try to.write([UInt8](repeating: 0, count: spare), at: offset)
    try to.sync()
    try to.resize(to: offset)
    Sandbox.trust(new, as: old)
  }

  /// Gives a file a second name; copies it where the file system has no second names, or not for this file.
  static func link(_ old: String, to new: String) throws {
    if Glibc.link(old, new) == 0 { return }
    guard [EPERM, EXDEV, EMLINK, EOPNOTSUPP, ENOSYS, EACCES].contains(errno) else { throw Failure("link", new).error }
    let aside = RunFolder.unfinished(new)
    do {
      try copy(old, to: aside, spare: 0)
      try FileDescriptor(opening: aside, O_RDWR).sync()
      try rename(aside, new)
    } catch {
      discard(aside)
      throw error
    }
  }

  /// Removes a file that libhdf5 may still have open, and gives its room back at once.
  static func discard(_ path: String) {
    truncate(path, 0)
    unlink(path)
  }

  /// Removes a file; one that is not there is fine.
  static func remove(_ path: String) throws {
    guard unlink(path) == 0 || errno == ENOENT else { throw Failure("remove", path).error }
  }
}

/// Sends what was written on its way to the disk at once, window by window: a gigabyte that waits for one sync at the end
/// would hold up the journal's syncs beside it.
struct Writeback {
  static let window = 8 << 20
  private var before: Range<Int>?

  mutating func wrote(_ range: Range<Int>, to file: borrowing FileDescriptor) {
    // Without success the sync at the end does it all.
    file_send(file.number, Int64(range.lowerBound), Int64(range.count), false)
    if let before { file_send(file.number, Int64(before.lowerBound), Int64(before.count), true) }
    before = range
  }
}
