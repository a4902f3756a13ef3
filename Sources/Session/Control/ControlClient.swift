// The client end of the control socket, for `foretop tell` and `foretop watch`. Its calls block.
import Glibc
import Run
import RunFile

/// A connection to a live run. One thread at a time may use it.
package final class ControlClient: @unchecked Sendable {
  // Unchecked: it is handed from one thread to another, as a whole.
  private let descriptor: CInt
  private var input = LineBuffer()
  /// The first line that the run sent.
  package let hello: JSON

  /// Seconds to wait for the first line.
  private static let patience = 10

  /// Connects to the run in a folder.
  /// - Throws: `UserError` with status 69 when no process trains the run.
  package init(folder: String, name: String) throws {
    func nobody(_ why: String) -> UserError {
      let resume = RunAddress(folder: folder, before: RunAddress(name: name, runs: "")).command("resume")
      return UserError(.unavailable, "no process trains run “\(name)” now (\(why)): “\(resume)” continues it")
    }
    do {
      descriptor = try Self.connected(to: folder)
    } catch let refusal as ControlSocket.Refusal {
      switch refusal.code {
      case ENOENT: throw nobody("there is no \(ControlSocket.name) in \(folder)")
      case EACCES, EPERM:
        throw UserError(
          .unavailable, "run “\(name)” is another user's: only the user who trains the run, and root, may connect to it"
        )
      case ECONNREFUSED: throw nobody("its \(ControlSocket.name) was left by a process that was killed")
      default: throw UserError(.unavailable, "\(folder)/\(ControlSocket.name) cannot be used: \(refusal.words)")
      }
    }
    var limit = timeval(tv_sec: Self.patience, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout.size(ofValue: limit)))
    guard let line = try Self.line(from: descriptor, &input) else {
      close(descriptor)
      throw nobody("its process closed the connection")
    }
    limit.tv_sec = 0
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout.size(ofValue: limit)))
    hello = (try? JSON.read(line)) ?? .null
    if let error = hello["error"]?.string {
      close(descriptor)
      throw UserError(.unavailable, "run “\(name)” does not accept commands: \(error)")
    }
    guard hello["protocol"]?.whole == ControlSocket.version else {
      close(descriptor)
      throw UserError(
        .unavailable,
        "run “\(name)” is trained by a foretop with another version of the control protocol: use that foretop")
    }
  }

  /// Connects. A process that has the run, but does not listen yet, is waited for: it begins the run, such as a branch.
  private static func connected(to folder: String) throws -> CInt {
    let end = ContinuousClock.now + .seconds(patience)
    while true {
      do {
        let opened = try ControlSocket.open(folder: folder)
        defer { close(opened) }
        let made = try ControlSocket.make(waits: true)
        do {
          try ControlSocket.withAddress(folder: folder, opened: opened) { connect(made, $0, $1) }
          return made
        } catch {
          close(made)
          throw error
        }
      } catch let refusal as ControlSocket.Refusal {
        let isBeginning = [ENOENT, ECONNREFUSED].contains(refusal.code) && StoredRun.isBeingWritten(folder)
        guard isBeginning, ContinuousClock.now < end else { throw refusal }
        usleep(20_000)
      }
    }
  }

  deinit { close(descriptor) }

  /// What the run is doing while it is being set up; nil for one that had begun when this connection was made.
  package var preparing: String? { hello["preparing"]?.string }

  /// True if the process can tell how evaluations get on: one of an earlier version refuses to be asked.
  var sendsProgress: Bool { hello["progress"]?.isTrue == true }

  /// Waits until a run that is being set up has begun; then another connection follows it.
  /// - Parameter say: takes what the run is doing.
  /// - Throws: `UserError` with status 69 when the run does not begin.
  package func waitForBeginning(say: (String) -> Void) throws {
    guard preparing != nil else { return }
    try send(Self.subscription(id: 0, from: 1))
    while let message = try next() {
      switch message["event"]?.string {
      case "begin": return
      case "preparing": say(message["text"]?.string ?? "")
      default: if let error = message["error"]?.string { throw UserError(.unavailable, error) }
      }
    }
    throw UserError(.unavailable, "the process that was setting up the run ended before the run had begun")
  }

  /// The line that asks for events.
  /// - Parameters:
  ///   - from: the number of the first event; nil means from now on.
  ///   - hasProgress: true asks for the progress of evaluations, too.
  package static func subscription(id: Int, from number: Int?, hasProgress: Bool = false) -> JSON {
    .object(
      [JSON.Member("id", .integer(id)), JSON.Member("subscribe", .flag(true))]
        + (number.map { [JSON.Member("from", .integer($0))] } ?? [])
        + (hasProgress ? [JSON.Member("progress", .flag(true))] : []))
  }

  /// Sends a line.
  package func send(_ message: JSON) throws {
    var bytes = Array((message.line + "\n").utf8)[...]
    while !bytes.isEmpty {
      guard let count = ControlSocket.send(bytes, to: descriptor) else { throw Self.lost }
      bytes = bytes.dropFirst(count)
    }
  }

  /// Waits for the next line.
  /// - Returns: nil when the run's process has closed the connection.
  package func next() throws -> JSON? {
    guard let line = try Self.line(from: descriptor, &input) else { return nil }
    do {
      return try JSON.read(line)
    } catch {
      throw UserError(.data, "the run sent a line that is not JSON: \(error)")
    }
  }

  /// Takes the lines that have come, without waiting.
  /// - Parameter most: bytes that are read at most; the rest is taken the next time.
  /// - Returns: the lines, and whether the run's process has closed the connection.
  package func take(most: Int = 1 << 20) throws -> (lines: [JSON], isOver: Bool) {
    var lines: [JSON] = []
    var isOver = false
    var count = 0
    do {
      // Lines may have come together with the one that was waited for.
      while let line = input.next() { lines.append(try JSON.read(line)) }
      while count < most {
        guard let bytes = try ControlSocket.receive(from: descriptor, most: 64 << 10, waits: false) else { break }
        if bytes.isEmpty {
          isOver = true
          break
        }
        count += bytes.count
        input.append(bytes)
        while let line = input.next() { lines.append(try JSON.read(line)) }
      }
    } catch let damage as JSON.Damage {
      throw UserError(.data, "the run sent a line that is not JSON: \(damage)")
    } catch {
      isOver = true
    }
    return (lines, isOver)
  }

  private static var lost: UserError { UserError(.inputOutput, "the connection to the run is lost") }

  private static func line(from descriptor: CInt, _ input: inout LineBuffer) throws -> [UInt8]? {
    while true {
      if let line = input.next() { return line }
      do {
        guard let bytes = try ControlSocket.receive(from: descriptor, most: 64 << 10) else {
          throw UserError(.unavailable, "the run does not answer")
        }
        if bytes.isEmpty { return nil }
        input.append(bytes)
      } catch let refusal as ControlSocket.Refusal {
        if refusal.code == ECONNRESET { return nil }
        throw UserError(.inputOutput, "the connection to the run failed: \(refusal.words)")
      }
    }
  }
}
