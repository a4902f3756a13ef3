// Access to libhdf5: handles that close themselves, conversion of a status to an error, and the settings with which
// every file is opened. The library may not be thread-safe: a lock serializes the calls.
import CHDF5
import Foundation
import Run
import Synchronization

/// An HDF5 identifier that closes itself: of a file, group, dataset, type, dataspace or property list.
struct Handle: ~Copyable {
  let id: hid_t

  /// Takes over the identifier that a call returned.
  /// - Throws: `UserError` that says what could not be done, and libhdf5's reason.
  init(_ id: hid_t, _ what: @autoclosure () -> String) throws {
    self.id = try HDF5.check(id, what())
  }

  deinit { H5Idec_ref(id) }
}

enum HDF5 {
  /// Settings of the library before its first use: no plug-ins, and no work at the process's exit (flushing a file on a
  /// full disk would cause a segmentation fault).
  private static let started: Void = {
    H5dont_atexit()
    H5open()
    H5PLset_loading_state(0)
  }()

  /// Makes the library ready on this thread; before anything is opened or written.
  static func start() {
    _ = started
    h5_quiet()
  }

  /// The property list of reads and writes of rows: numbers are converted in pieces of 64 KiB. With the library's default, each
  /// call that converts numbers first fills a MiB with zeros, however few rows there are.
  static let transfer: hid_t = {
    let list = H5Pcreate(h5_dataset_transfer())
    return list >= 0 && H5Pset_buffer(list, 64 << 10, nil, nil) >= 0 ? list : h5_default()
  }()

  private static let lock = NSRecursiveLock()

  /// Runs `body` while no other thread calls the library. `body` must be short, since the metrics wait for it.
  static func alone<Result>(_ body: () throws -> Result) rethrows -> Result {
    lock.lock()
    defer { lock.unlock() }
    return try body()
  }

  /// Passes a good status on, and throws for a bad one.
  @discardableResult
  static func check<Status: BinaryInteger>(_ status: Status, _ what: @autoclosure () -> String) throws -> Status {
    if status >= 0 { return status }
    throw error(what(), reason())
  }

  /// The error of a call that failed. Where the address space is limited and the library got no memory, the process is at fault:
  /// nothing is known about the file, which must not be replaced.
  private static func error(_ what: String, _ reason: ErrorStackEntry) -> UserError {
    // Not every function of the library passes on that memory was what it lacked.
    if !reason.isOfKernel, !ownLimit.withLock({ $0 }), let space = ProcessLimit.addressSpace,
      reason.isOfMemory || space.used + (8 << 20) > space.most
    {
      return UserError(
        .unavailable,
        "\(what): memory ran out, since ulimit -v (RLIMIT_AS) allows \(space.most >> 20) MiB: raise the limit and try again"
      )
    }
    let isTooLarge = reason.isOfKernel && reason.words == String(cString: strerror(EFBIG))
    return UserError(.inputOutput, "\(what): \(reason.words)\(isTooLarge ? SizeLimit.advice(for: EFBIG) : "")")
  }

  private static let ownLimit = Mutex(false)

  /// Says whose limit of memory this process has: its own, which a harmful file may reach, or its user's.
  static func limitsItsOwnMemory(_ isOwn: Bool) { ownLimit.withLock { $0 = isOwn } }

  /// Interprets the status of a question about an object that may not exist: a negative status is an error only if the
  /// kernel refused to read.
  /// - Returns: true if the object exists; false also if the file is damaged there.
  static func has<Status: BinaryInteger>(_ status: Status, _ what: @autoclosure () -> String) throws -> Bool {
    if status >= 0 { return status > 0 }
    let reason = reason()
    let error = error(what(), reason)
    if reason.isOfKernel || error.status == .unavailable { throw error }
    return false
  }

  /// The innermost message of libhdf5's error stack.
  private struct ErrorStackEntry {
    var words = ""
    /// True if they are the kernel's.
    var isOfKernel = false
    /// True if the library got no memory.
    var isOfMemory = false
  }

  private static func reason() -> ErrorStackEntry {
    var found = ErrorStackEntry()
    withUnsafeMutablePointer(to: &found) { found in
      _ = H5Ewalk2(
        hid_t(0), H5E_WALK_UPWARD,
        { depth, entry, found in
          if depth == 0, let entry, let words = entry.pointee.desc {
            found?.assumingMemoryBound(to: ErrorStackEntry.self).pointee = ErrorStackEntry(
              words: String(cString: words), isOfMemory: h5_is_of_memory(entry))
          }
          return 0
        }, found)
    }
    H5Eclear2(hid_t(0))
    // Where the kernel refused, its words are in there among addresses and times.
    if let kernel = found.words.range(of: "error message = '") {
      found.words = String(found.words[kernel.upperBound...].prefix { $0 != "'" })
      found.isOfKernel = true
    }
    if found.words.isEmpty { found.words = "libhdf5 gave no reason" }
    return found
  }
}

/// How a file is opened.
enum Opening {
  /// For the writer, without concurrent readers.
  case alone
  /// For the writer, with concurrent readers: rows are only appended.
  case append
  /// For reading a file that no process writes.
  case still
  /// For reading a file while its writer appends.
  case live
  /// A copy in memory, which may be changed.
  case image(MemoryImage)
}

/// An open HDF5 file with its path, which every error names.
final class File {
  /// The file's path; it may be renamed while it is open.
  var path: String
  private(set) var id: hid_t
  let isInMemory: Bool
  /// Paths that are known to be hard links; foretop never removes a link.
  var hardLinks: Set<String> = []

  /// Opens a file. If this process did not write the file, a separate process examines it first.
  init(opening path: String, _ how: Opening) throws {
    // Before anybody takes memory for it, the process that examines included.
    try FileDescriptor(opening: path, O_RDONLY).requireStored()
    switch how {
    // The writer extends the overview.
    case .alone, .append: try Sandbox.require(.overview(path))
    case .still, .live, .image: try Sandbox.require(.hdf5(path))
    }
    HDF5.start()
    let access = try File.access(path)
    var flags = h5_read_only()
    var name = path
    switch how {
    case .alone: flags = h5_read_write()
    case .append: flags = h5_read_write() | h5_swmr_write()
    case .still: break
    case .live:
      // A reader that meets half-written metadata tries again, but not for ever.
      flags |= h5_swmr_read()
      try HDF5.check(H5Pset_metadata_read_attempts(access.id, 200), "cannot set up reading of \(path)")
    case .image(let image):
      name = File.memoryName(path)
      flags = h5_read_write()
      try image.attach(to: access.id, "cannot read \(path) into memory")
    }
    if case .image = how { isInMemory = true } else { isInMemory = false }
    self.path = path
    id = try HDF5.check(H5Fopen(name, flags, access.id), "cannot open \(path)")
  }

  /// Creates a live file, which must not exist, with a superblock and pages that survive `SIGKILL` and allow concurrent
  /// readers.
  init(creatingLive path: String, inMemory: Bool = false) throws {
    HDF5.start()
    let what = "cannot create \(path)"
    let creation = try Handle(H5Pcreate(h5_file_creation()), what)
    // A write that SIGKILL tears is torn at a page boundary: no metadata lies across one.
    try HDF5.check(H5Pset_file_space_strategy(creation.id, H5F_FSPACE_STRATEGY_PAGE, false, 1), what)
    try HDF5.check(H5Pset_file_space_page_size(creation.id, 4096), what)
    try File.keepCompact(creation.id, what)
    let access = try File.access(path)
    if inMemory { try HDF5.check(H5Pset_fapl_core(access.id, 1 << 20, false), what) }
    let name = inMemory ? File.memoryName(path) : path
    isInMemory = inMemory
    self.path = path
    id = try HDF5.check(H5Fcreate(name, h5_exclusive(), creation.id, access.id), what)
    if !inMemory { Sandbox.trust(path) }
  }

  /// Creates a file that HDF5 1.8 and later can open; it must not exist.
  init(creatingPlain path: String) throws {
    HDF5.start()
    let what = "cannot create \(path)"
    let access = try Handle(H5Pcreate(h5_file_access()), what)
    try HDF5.check(H5Pset_libver_bounds(access.id, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18), what)
    try HDF5.check(H5Pset_alignment(access.id, 64, 64), what)
    try HDF5.check(H5Pset_file_locking(access.id, false, true), what)
    try File.limitCaches(access.id, what)
    isInMemory = false
    self.path = path
    id = try HDF5.check(H5Fcreate(path, h5_exclusive(), h5_default(), access.id), what)
    Sandbox.trust(path)
  }

  deinit { close() }

  /// Closes the file; libhdf5 does so when all its datasets are closed, too.
  func close() {
    if id >= 0 { H5Idec_ref(id) }
    id = -1
  }

  /// Abandons a file that failed without closing it, since closing could end the process.
  func abandon() { id = -1 }

  /// Hands all data to the kernel, and updates the end of the file in the superblock.
  func flush() throws { try HDF5.check(H5Fflush(id, H5F_SCOPE_GLOBAL), "cannot write to \(path)") }

  /// Allows concurrent readers (SWMR). From now on, rows can only be appended.
  func startLive() throws { try HDF5.check(H5Fstart_swmr_write(id), "cannot let readers into \(path)") }

  /// Where the file ends, in bytes.
  var end: Int64 {
    var size: hsize_t = 0
    return H5Fget_filesize(id, &size) < 0 ? 0 : Int64(size)
  }

  /// The kernel's descriptor of the file; it belongs to libhdf5.
  func descriptor() throws -> Int32 {
    var pointer: UnsafeMutableRawPointer?
    try HDF5.check(H5Fget_vfd_handle(id, h5_default(), &pointer), "cannot reach \(path)")
    return pointer?.load(as: Int32.self) ?? -1
  }

  /// A unique name for a file in memory: libhdf5 identifies such files by their names.
  private static func memoryName(_ path: String) -> String { "\(path) in memory \(UInt64.random(in: 0...(.max)))" }

  private static func access(_ path: String) throws -> Handle {
    let what = "cannot set up access to \(path)"
    let access = try Handle(H5Pcreate(h5_file_access()), what)
    try HDF5.check(H5Pset_libver_bounds(access.id, H5F_LIBVER_V110, H5F_LIBVER_V110), what)
    // A notebook that has the file open must not block a resume; run.lock keeps a second writer out.
    try HDF5.check(H5Pset_file_locking(access.id, false, true), what)
    try limitCaches(access.id, what)
    return access
  }

  /// Limits the chunk cache of every dataset. A run file has some 300 datasets with a default cache of one megabyte
  /// each, which would fill up with complete chunks during a run.
  private static func limitCaches(_ access: hid_t, _ what: @autoclosure () -> String) throws {
    // The largest chunk, of /events, has to fit; few slots let go of the small chunks of /overview. The first number is ignored.
    try HDF5.check(H5Pset_cache(access, 0, 7, 1 << 17, 1), what())
  }

  /// Keeps links and attributes in the object header, since a crash could damage fractal heaps and B-trees.
  static func keepCompact(_ creation: hid_t, _ what: @autoclosure () -> String) throws {
    try HDF5.check(H5Pset_link_phase_change(creation, 256, 128), what())
    try HDF5.check(H5Pset_attr_phase_change(creation, 64, 32), what())
    // Equal states make equal files.
    try HDF5.check(H5Pset_obj_track_times(creation, false), what())
  }
}
