// System calls on files, beside HDF5. Every error names the path and the kernel's reason.
import CHDF5
import Foundation
import Run

/// An open file that closes itself.
struct FileDescriptor: ~Copyable {
  let number: Int32
  let path: String

  /// Opens a file, or creates one with `O_CREAT`, which only its owner may read and write unless `mode` allows more.
  /// Never writes through a link, and never waits for the other end of a pipe.
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

  func status() throws -> stat {
    var status = stat()
    guard fstat(number, &status) == 0 else { throw Failure("examine", path).error }
    return status
  }

  func size() throws -> Int { Int(try status().st_size) }

  /// Refuses a file that claims to be far larger than the bytes stored on the disk: see `StoredSize`.
  func requireStored() throws { try StoredSize.check(number, path: path) }

  /// Reads up to `count` bytes; fewer at the file's end.
  func read(at offset: Int, count: Int) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      filled = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
    }
  }

  /// Fills a buffer; returns the number of bytes read, fewer at the file's end.
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

  /// Reserves room on the disk up to a size, without changing the file's size. Succeeds if the file system cannot
  /// reserve room.
  /// - Parameter isEstimate: true if the file may end before that size: then room is reserved up to the limit on file sizes at most,
  ///   and writes beyond the limit fail by themselves.
  /// - Returns: the kernel's error; nil if there is room.
  static func reserve(
    _ descriptor: Int32, from start: Int = 0, to end: Int, path: String, isEstimate: Bool = false
  ) -> UserError? {
    // Room that does not change the size passes the limit on sizes on some file systems (ext4, not tmpfs); a write into it then would
    // not.
    let end = isEstimate ? min(end, SizeLimit.largest) : end
    if isEstimate, end <= start { return nil }
    if end > SizeLimit.largest {
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

  /// Free bytes for this user in the file system of an open file; nil if unknown.
  static func freeBytes(of descriptor: Int32) -> Int? {
    var status = statvfs()
    guard fstatvfs(descriptor, &status) == 0, status.f_blocks > 0 else { return nil }
    let blocks = geteuid() == 0 ? status.f_bfree : status.f_bavail
    let (bytes, isTooMany) = Int(clamping: blocks).multipliedReportingOverflow(by: Int(clamping: status.f_frsize))
    return isTooMany ? .max : bytes
  }

  /// Releases the reserved room beyond the file's end.
  func giveBackReserve() throws { try resize(to: size()) }

  /// Checks that the disk has room for a new file of at most so many bytes.
  static func requireRoom(_ bytes: Int, at path: String) throws {
    let file = try FileDescriptor(opening: path, O_RDWR | O_CREAT | O_EXCL)
    let failure = reserve(file.number, to: bytes, path: path, isEstimate: true)
    try FileSystem.remove(path)
    if let failure { throw failure }
  }

  /// Waits until the content, and the metadata needed to read it, is on the disk (fdatasync).
  func syncData() throws {
    guard fdatasync(number) == 0 else { throw Failure("write", path).error }
  }

  /// Waits until the content and the metadata are on the disk (fsync).
  func sync() throws {
    guard fsync(number) == 0 else { throw Failure("write", path).error }
  }
}

/// The error of a failed system call.
struct Failure {
  let error: UserError

  /// - Parameter verb: the operation: `open`, `write`.
  init(_ verb: String, _ path: String, _ status: UserError.Status = .inputOutput) {
    error = UserError(status, "cannot \(verb) \(path): \(SizeLimit.reason(errno))")
  }
}

extension UserError {
  /// True if the kernel refused to open or read a file, or to start the process that examines it. The file may be
  /// undamaged and must not be replaced.
  var isRefusalToRead: Bool {
    if status == .unavailable { return true }
    return [EIO, EACCES, EPERM, EMFILE, ENFILE, ENOMEM, ESTALE, ENODEV, ENXIO, ETIMEDOUT].contains {
      message.hasSuffix(": " + String(cString: strerror($0)))
    }
  }
}

/// The result of `body`, which reads a file; nil if the file is damaged or missing.
/// - Throws: `UserError` when the kernel refuses to read: the file's content is unknown then.
func unlessDamaged<Made>(_ body: () throws -> Made?) throws -> Made? {
  do {
    return try body()
  } catch let error as UserError where error.isRefusalToRead {
    throw error
  } catch { return nil }
}

/// Folders and the names in them.
package enum FileSystem {
  /// Makes a folder that only its owner may enter.
  static func create(_ path: String) throws {
    guard mkdir(path, 0o700) == 0 else { throw Failure("create", path, .cannotCreate).error }
  }

  /// Makes a folder and its parents, if they do not exist.
  static func createAll(_ path: String) throws {
    if exists(path) { return }
    let parent = path.parentFolder
    if !parent.isEmpty { try createAll(parent) }
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw Failure("create", path, .cannotCreate).error }
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// The names in a folder that begin like this and end with the number of a process that is gone: it was killed before it could
  /// remove them.
  package static func abandonedNames(in folder: String, start: String) -> [String] {
    // A folder that may not be listed may still be written to.
    ((try? names(in: folder)) ?? []).filter { name in
      guard name.hasPrefix(start), let process = pid_t(name.dropFirst(start.count)) else { return false }
      return kill(process, 0) != 0 && errno == ESRCH
    }
  }

  /// The sorted names in a folder; empty if the folder does not exist.
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

  /// Waits until the folder's list of names is on the disk.
  static func sync(_ path: String) throws {
    let folder = try FileDescriptor(opening: path, O_RDONLY | O_DIRECTORY)
    try folder.sync()
  }

  static func rename(_ old: String, _ new: String) throws {
    guard Foundation.rename(old, new) == 0 else { throw Failure("rename", old).error }
  }

  /// Copies a file; the copy is on the disk when this returns.
  /// - Parameters:
  ///   - spare: bytes by which the copy must be able to grow; they are reserved as a test.
  ///   - shouldContinue: called for every piece; copying stops when it returns false.
  /// - Throws: `UserError` when the file claims far more bytes than are stored, or the disk has no room.
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

  /// Removes a file that libhdf5 may still have open, and releases its room at once.
  static func discard(_ path: String) {
    truncate(path, 0)
    unlink(path)
  }

  /// Removes a file, if it exists.
  static func remove(_ path: String) throws {
    guard unlink(path) == 0 || errno == ENOENT else { throw Failure("remove", path).error }
  }
}

/// Starts writing to the disk at once, window by window: a single sync of a gigabyte at the end would delay the
/// journal's syncs.
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
