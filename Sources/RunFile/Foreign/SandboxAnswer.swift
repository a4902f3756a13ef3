// The server: the process that examines files for another one. It opens files as the other process will, reads
// everything in them, and answers. Its time and memory are limited.
import Foundation
import Run

package enum SandboxAnswer {
  /// CPU seconds that a file of a size may take.
  static func seconds(_ bytes: Int) -> Int { 1 + bytes / (200 << 20) }

  /// The same for a tokenizer, which takes longer per byte.
  static func seconds(ofTokenizer bytes: Int) -> Int { 1 + bytes / (4 << 20) }

  /// Larger run files are not read completely: their rows are checked when they are read.
  static let wholeSize = 32 << 20

  /// The answer for a run's file whose overview was examined as well.
  static let overviewWord = "overview"

  /// Answers requests on standard input until it ends.
  /// - Parameter tokenizer: makes a tokenizer from a checkpoint's record and tries it, or throws.
  package static func serve(tokenizer: (TokenizerRecord) throws -> Void) {
    // This is the process that tries: it asks nobody.
    Sandbox.use([])
    var none = rlimit(rlim_cur: 0, rlim_max: 0)
    setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &none)
    // Files that bring a library to its end must end this process, whatever the shell ignores.
    for number in [SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGXCPU, SIGTRAP] { signal(number, SIG_DFL) }
    while let request = request() {
      var answer = "0"
      do {
        guard let file = SandboxedFile(request: request) else { throw UserError(.usage, "nothing was asked") }
        let told = try examine(file, tokenizer)
        if !told.isEmpty { answer += " " + told }
      } catch let error as UserError {
        answer = "\(error.status.rawValue) \(error.message)"
      } catch {
        answer = "\(UserError.Status.data.rawValue) \(file(request)): \(error)"
      }
      guard reply(answer) else { return }
    }
  }

  private static func file(_ request: String) -> String { String(request.dropFirst()) }

  /// The next request: bytes up to a zero; nil at the end of the input.
  private static func request() -> String? {
    var bytes: [UInt8] = []
    var byte: UInt8 = 0
    while bytes.count < 1 << 16 {
      let count = read(STDIN_FILENO, &byte, 1)
      if count < 0 && errno == EINTR { continue }
      guard count == 1 else { return nil }
      if byte == 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(byte)
    }
    return nil
  }

  private static func reply(_ answer: String) -> Bool {
    sent(Array(answer.utf8.filter { $0 != 0 }.prefix(1 << 16)) + [0], to: STDIN_FILENO)
  }

  /// Sends bytes through a socket.
  /// - Returns: true if all bytes were sent; false if the peer has gone.
  static func sent(_ bytes: [UInt8], to socket: Int32) -> Bool {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        send(socket, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }

  /// - Returns: the text of the answer for a good file.
  private static func examine(_ file: SandboxedFile, _ tokenizer: (TokenizerRecord) throws -> Void) throws -> String {
    if case .run(let folder) = file {
      limit(bytes: (try? FileDescriptor(opening: file.path, O_RDONLY).size()) ?? 0)
      let summary = try StoredRun.glance(at: folder) { try HDF5Whitelist.check($0, withOverview: false) }
      return String(decoding: try StoredJSON.encoded(summary), as: UTF8.self)
    }
    let descriptor = try FileDescriptor(opening: file.path, O_RDONLY)
    let size = try descriptor.size()
    limit(bytes: size)
    if case .tokenizer = file { limit(bytes: size, seconds: seconds(ofTokenizer: size)) }
    switch file {
    case .run: break
    case .hdf5(let path): return try examine(hdf5: path, size, withOverview: false, tokenizer)
    case .overview(let path): return try examine(hdf5: path, size, withOverview: true, tokenizer)
    case .tokenizer(let path):
      guard size <= 1 << 28 else { throw UserError(.data, "\(path) is not a tokenizer: it has \(size) bytes") }
      try tokenizer(TokenizerRecord(kind: "", model: try descriptor.read(at: 0, count: size), vocabulary: 0))
    }
    return ""
  }

  /// Limits the time and the memory for one file.
  private static func limit(bytes: Int, seconds: Int? = nil) {
    var used = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &used)
    let spent = Int(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
    var time = rlimit(rlim_cur: rlim_t(spent + 1 + (seconds ?? Self.seconds(bytes))), rlim_max: rlim_t.max)
    setrlimit(__rlimit_resource_t(RLIMIT_CPU.rawValue), &time)
    let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ").first
    guard let mapped = pages.flatMap({ Int($0) }) else { return }
    var memory = rlimit(rlim_cur: rlim_t(mapped * 4096 + 256 << 20 + 8 * min(bytes, 1 << 40)), rlim_max: rlim_t.max)
    // Where the user's limit is lower and holds, lack of memory says nothing about the file.
    HDF5.limitsItsOwnMemory(setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &memory) == 0)
  }

  /// - Parameter withOverview: whether the overview is examined even if a reader of this run would not need it.
  /// - Returns: the text of the answer.
  private static func examine(
    hdf5 path: String, _ size: Int, withOverview: Bool, _ tokenizer: (TokenizerRecord) throws -> Void
  ) throws -> String {
    let block = try FileDescriptor(opening: path, O_RDONLY).read(at: 0, count: Superblock.size)
    guard let superblock = try? Superblock(block, path: path) else {
      // A checkpoint: its superblock is one that HDF5 1.8 knows.
      let file = try File(opening: path, .still)
      try HDF5Whitelist.check(file, ["/state/json", "/recipe/yaml", "/tokenizer/model"])
      try tokenizer(try CheckpointFile.CheckpointContents(of: file).tokenizer)
      return overviewWord
    }
    let folder = path.parentFolder
    // A long run that was killed is looked at as a reader beside its writer would: a copy would take all of it.
    let isReadBeside = size > wholeSize || RunLock.isHeld(folder: folder)
    let how: Opening =
      !superblock.isMarkedOpen ? .still : isReadBeside ? .live : .image(try Superblock.repairedImage(of: path))
    let store = try Store(opening: path, how)
    // The overview has most of the datasets, and a screen's first frame waits for them.
    let checksOverview = withOverview || StoredRun.needsOverview(store)
    try HDF5Whitelist.check(store, withOverview: checksOverview)
    if size <= wholeSize {
      var history = RowChecks(store)
      try history.examine()
      if let problem = history.contradictions.first { throw UserError(.data, "\(path): \(problem)") }
    }
    return checksOverview ? overviewWord : ""
  }
}
