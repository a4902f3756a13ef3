// Ranks that mpirun started, connected by MPI. The only target that calls MPI; built where FORETOP_MPI=1 asks for it.
import CMPI
import Foundation
import Run
import Training

/// The link of a process that mpirun (or srun) started.
package final class MPILink: RankLink {
  package let rank: Int
  package let count: Int
  private var requests: [MPI_Request?] = []
  /// Processes of other ranks on this machine, whose end can be seen.
  private let neighbours: [(rank: Int, process: pid_t)]

  /// Bytes of a message: MPI counts in 32 bits.
  private static let most = 1 << 30

  /// - Throws: `UserError` when MPI cannot begin.
  package init() throws(UserError) {
    try MPILink.check(mpi_begin(), "MPI does not begin")
    (rank, count) = (Int(mpi_rank()), Int(mpi_count()))
    let own: [UInt64] = [MPILink.machine, UInt64(getpid())]
    var all = [UInt64](repeating: 0, count: 2 * count)
    try MPILink.check(mpi_share_pair(own, &all), "ranks do not reach each other")
    var neighbours: [(rank: Int, process: pid_t)] = []
    for other in 0..<count where other != rank && all[2 * other] == own[0] {
      let process = pid_t(all[2 * other + 1])
      if kill(process, 0) == 0 { neighbours.append((other, process)) }
    }
    self.neighbours = neighbours
  }

  /// A number for this machine and its table of processes.
  private static var machine: UInt64 {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    var status = stat()
    stat("/proc/self/ns/pid", &status)
    var sum: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name where byte != 0 { sum = (sum ^ UInt64(UInt8(bitPattern: byte))) &* 0x100_0000_01b3 }
    return sum ^ UInt64(status.st_ino)
  }

  package func begin(_ transfer: RankTransfer) throws(UserError) {
    var first = 0
    while first < transfer.bytes {
      let bytes = min(Self.most, transfer.bytes - first)
      var request: MPI_Request?
      let memory = transfer.memory + first
      let status =
        switch transfer.direction {
        case .send: mpi_send(memory, Int32(bytes), Int32(transfer.rank), &request)
        case .receive: mpi_receive(memory, Int32(bytes), Int32(transfer.rank), &request)
        }
      try MPILink.check(status, "rank \(transfer.rank) of \(count) is not reached")
      requests.append(request)
      first += bytes
    }
  }

  package func isSettled() throws(UserError) -> Bool {
    guard !requests.isEmpty else { return true }
    var isDone: Int32 = 0
    try MPILink.check(mpi_test(Int32(requests.count), &requests, &isDone), "the connection between ranks is broken")
    if isDone != 0 { requests.removeAll(keepingCapacity: true) }
    return isDone != 0
  }

  package func loss() -> UserError? {
    for (rank, process) in neighbours where kill(process, 0) != 0 && errno == ESRCH {
      return UserError(
        .unavailable,
        "rank \(rank) of \(count) (process \(process)) has ended: “foretop resume” goes on from the last checkpoint, with any "
          + "number of ranks that divides batch.rows")
    }
    return nil
  }

  package func close(hasFailed: Bool) {
    if !hasFailed { _ = mpi_end() }
  }

  private static func check(_ status: Int32, _ what: String) throws(UserError) {
    guard status != 0 else { return }
    var text = [CChar](repeating: 0, count: Int(mpi_most_words) + 1)
    mpi_words(status, &text)
    throw UserError(.unavailable, "\(what): \(text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) })")
  }
}
