// The control socket of a live run: a thread of its own that takes commands from other processes, answers them, and
// hands out events. A peer that sends malformed lines, or reads nothing, uses a bounded amount of memory and delays no
// step.
import Glibc
import Run
import Synchronization

/// Listens from `init` to `end`.
final class ControlServer: Sendable {
  private let thread: WorkerThread
  /// A pipe that wakes the thread, so that it looks at `isStopping`.
  private let wake: CInt
  private let flag: StopFlag

  /// Set to end the thread.
  private final class StopFlag: Sendable {
    let isSet = Atomic(false)
    /// What the requests are refused with that are not answered by then.
    let sentence = Mutex("the run ended before the command had an effect")
  }

  /// Makes the socket and the thread. The run's lock must be held: an existing socket was left behind by a killed
  /// process.
  /// - Throws: `UserError` when the folder's file system has no sockets, or no descriptor or thread is available.
  /// - Parameter cancel: stops a run that is being set up; false once it has begun.
  init(
    folder: String, name: String, hub: EventHub, requests: RequestQueue, cancel: @escaping @Sendable () -> Bool
  ) throws {
    let listener = try ControlListener(folder: folder)
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else {
      listener.close()
      throw UserError(.unavailable, "no pipe can be made: \(ControlSocket.Refusal().words)")
    }
    for end in ends { ControlSocket.prepare(end, waits: false) }
    let (reading, writing) = (ends[0], ends[1])
    let subscription = hub.subscribe()
    let flag = StopFlag()
    do {
      thread = try WorkerThread("control", stackSize: 1 << 20) {
        var loop = ControlLoop(
          listener: listener, wake: reading, name: name, subscription: subscription, requests: requests,
          cancel: cancel)
        loop.run { flag.isSet.load(ordering: .acquiring) }
        loop.end(refusing: flag.sentence.withLock { $0 })
        Glibc.close(reading)
      }
    } catch {
      listener.close()
      for end in ends { Glibc.close(end) }
      throw error
    }
    wake = writing
    self.flag = flag
  }

  /// Removes the socket, and waits until the thread has ended; peers have a second to read the remaining output.
  /// - Parameter sentence: why requests without an answer are refused, where the run did not just end.
  func end(refusing sentence: String? = nil) {
    if let sentence { flag.sentence.withLock { $0 = sentence } }
    guard !flag.isSet.exchange(true, ordering: .acquiringAndReleasing) else { return }
    var byte: UInt8 = 1
    _ = write(wake, &byte, 1)
    thread.join()
    close(wake)
  }
}

/// The listening socket and its file.
struct ControlListener {
  let descriptor: CInt
  private let folder: CInt
  private let file: (device: dev_t, inode: ino_t)

  init(folder path: String) throws {
    do {
      let folder = try ControlSocket.open(folder: path)
      var made: CInt = -1
      do {
        var status = stat()
        if fstatat(folder, ControlSocket.name, &status, AT_SYMLINK_NOFOLLOW) == 0 {
          guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw UserError(.cannotCreate, "\(path)/\(ControlSocket.name) is there, and is not a socket: move it away")
          }
        }
        let descriptor = try ControlSocket.make(waits: false)
        made = descriptor
        // The file gets the socket's mode: there is no moment in which others may use it.
        fchmod(descriptor, 0o600)
        let unfinished = ControlSocket.unfinishedName
        unlinkat(folder, unfinished, 0)
        try ControlSocket.withAddress(unfinished, folder: path, opened: folder) { bind(descriptor, $0, $1) }
        // Whoever finds the socket by its name is heard.
        guard listen(descriptor, 64) == 0, fstatat(folder, unfinished, &status, AT_SYMLINK_NOFOLLOW) == 0,
          renameat(folder, unfinished, folder, ControlSocket.name) == 0
        else { throw ControlSocket.Refusal() }
        self.descriptor = descriptor
        self.folder = folder
        file = (status.st_dev, status.st_ino)
      } catch {
        if made >= 0 { Glibc.close(made) }
        Glibc.close(folder)
        throw error
      }
    } catch let refusal as ControlSocket.Refusal {
      throw UserError(.cannotCreate, "\(path)/\(ControlSocket.name) cannot be made: \(refusal.words)")
    }
  }

  /// Removes the file, if it still belongs to this socket.
  func remove() {
    var status = stat()
    guard fstatat(folder, ControlSocket.name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_dev == file.device,
      status.st_ino == file.inode
    else { return }
    unlinkat(folder, ControlSocket.name, 0)
  }

  /// Removes the file and closes the socket.
  func close() {
    remove()
    Glibc.close(descriptor)
    Glibc.close(folder)
  }
}
