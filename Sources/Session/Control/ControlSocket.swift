// The path of a run's control socket, and the system calls that both ends need.
import Glibc
import Run
import RunFile

/// `control.sock` in a run's folder.
package enum ControlSocket {
  /// The file's name.
  package static let name = RunFolder.socketName
  /// The file's name until the socket listens.
  static let unfinishedName = RunFolder.unfinished(name)
  /// The version of the protocol: docs/control.md.
  package static let version = 1
  /// Bytes of the longest line, its end not counted.
  package static let mostBytes = 64 << 10

  /// The error of a system call, from its `errno`.
  struct Refusal: Error {
    var code: CInt
    var words: String { String(cString: strerror(code)) }

    init() { code = errno }
    init(_ code: CInt) { self.code = code }
  }

  /// The folder, opened to name the socket in it by a path that is always short enough.
  static func open(folder: String) throws(Refusal) -> CInt {
    let opened = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard opened >= 0 else { throw Refusal() }
    return opened
  }

  /// A new stream socket; non-blocking if `waits` is false.
  static func make(waits: Bool) throws(Refusal) -> CInt {
    let made = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
    guard made >= 0 else { throw Refusal() }
    prepare(made, waits: waits)
    return made
  }

  /// Makes a descriptor close-on-exec, and non-blocking if `waits` is false.
  static func prepare(_ descriptor: CInt, waits: Bool) {
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    if !waits { _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) }
  }

  /// Calls `body` with the socket's address: its path if an address has room for it, else a path through the folder's
  /// descriptor in /proc.
  static func withAddress(
    _ name: String = name, folder: String, opened: CInt, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
  ) throws(Refusal) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let room = MemoryLayout.size(ofValue: address.sun_path)
    let whole = Array("\(folder)/\(name)".utf8)
    let path = whole.count < room ? whole : Array("/proc/self/fd/\(opened)/\(name)".utf8)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    if result != 0 { throw Refusal() }
  }

  /// The process number of the peer if the peer belongs to this user or to root, else nil; 0 if the peer is in a container that
  /// hides the number.
  static func ownProcess(_ descriptor: CInt) -> Int? {
    // `struct ucred`: process, user, group.
    var credentials: (pid: Int32, user: UInt32, group: UInt32) = (0, .max, .max)
    var size = socklen_t(MemoryLayout.size(ofValue: credentials))
    guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0,
      credentials.user == geteuid() || credentials.user == 0
    else { return nil }
    return max(Int(credentials.pid), 0)
  }

  /// Sends as many bytes as the peer takes; a peer that has gone raises no signal.
  /// - Returns: the number of bytes sent; 0 if the peer takes none now, nil if the peer has gone.
  static func send(_ bytes: ArraySlice<UInt8>, to descriptor: CInt) -> Int? {
    while true {
      let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
      if count >= 0 { return count }
      if errno == EINTR { continue }
      return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : nil
    }
  }

  /// Reads the available bytes, at most `most`.
  /// - Parameter waits: false for a socket that would wait.
  /// - Returns: empty at the end of the input; nil if nothing is available now.
  static func receive(from descriptor: CInt, most: Int, waits: Bool = true) throws(Refusal) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: most)
    while true {
      let count = recv(descriptor, &bytes, most, waits ? 0 : CInt(MSG_DONTWAIT))
      if count >= 0 { return Array(bytes.prefix(count)) }
      if errno == EINTR { continue }
      if errno == EAGAIN || errno == EWOULDBLOCK { return nil }
      throw Refusal()
    }
  }
}

/// Bytes cut into lines.
struct LineBuffer {
  private(set) var bytes: [UInt8] = []
  /// The number of leading bytes that are known to hold no line end.
  private var searched = 0

  mutating func append(_ new: [UInt8]) { bytes += new }

  /// The next complete line, without its line end.
  mutating func next() -> [UInt8]? {
    guard let end = bytes[searched...].firstIndex(of: UInt8(ascii: "\n")) else {
      searched = bytes.count
      return nil
    }
    defer {
      bytes.removeFirst(end + 1)
      searched = 0
    }
    return Array(bytes[..<end])
  }
}
