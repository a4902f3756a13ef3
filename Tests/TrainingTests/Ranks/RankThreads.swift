// Several ranks as threads of one process: what they exchange goes from memory to memory, as late as a seeded dice wants it.
import Corpus
import Foundation
import Kernels
import Run
import Support
import Synchronization
import Transformer

@testable import Training

/// Connects the threads.
final class RankSwitch: Sendable {
  struct Parcel: @unchecked Sendable {
    // Unchecked: who sent it leaves the memory alone until it has arrived.
    let memory: UnsafeMutableRawPointer
    let bytes: Int
    let isTaken: Arrival
  }

  final class Arrival: Sendable { let flag = Atomic(false) }

  struct Traffic {
    var waiting: [[Parcel]]
    var lost: Set<Int> = []
  }

  let count: Int
  let seed: UInt64
  let traffic: Mutex<Traffic>

  init(_ count: Int, seed: UInt64) {
    self.count = count
    self.seed = seed
    traffic = Mutex(Traffic(waiting: Array(repeating: [], count: count * count)))
  }

  /// A rank is gone, as if its process had ended.
  func lose(_ rank: Int) { _ = traffic.withLock { $0.lost.insert(rank) } }
}

/// One thread's link.
final class ThreadLink: RankLink {
  let rank: Int
  var count: Int { hub.count }
  private let hub: RankSwitch
  private var sent: [RankSwitch.Arrival] = []
  private var expected: [RankTransfer] = []
  private var dice: Dice

  init(_ rank: Int, _ hub: RankSwitch) {
    self.rank = rank
    self.hub = hub
    dice = Dice(hub.seed &+ UInt64(rank))
  }

  func begin(_ transfer: RankTransfer) throws(UserError) {
    guard transfer.direction == .send else { return expected.append(transfer) }
    let parcel = RankSwitch.Parcel(memory: transfer.memory, bytes: transfer.bytes, isTaken: RankSwitch.Arrival())
    sent.append(parcel.isTaken)
    hub.traffic.withLock { $0.waiting[rank * count + transfer.rank].append(parcel) }
  }

  func isSettled() throws(UserError) -> Bool {
    // A process that has ended moves nothing, and what others sent to each other may be gone with them.
    if hub.traffic.withLock({ !$0.lost.isEmpty }) { return false }
    var late: Set<Int> = []
    expected = expected.filter { transfer in
      // In the order in which one rank sends; which rank comes first is left to chance.
      if late.contains(transfer.rank) || Int.random(in: 0..<4, using: &dice) == 0 {
        late.insert(transfer.rank)
        return true
      }
      let parcel = hub.traffic.withLock { traffic -> RankSwitch.Parcel? in
        let place = transfer.rank * count + rank
        return traffic.waiting[place].isEmpty ? nil : traffic.waiting[place].removeFirst()
      }
      guard let parcel else {
        late.insert(transfer.rank)
        return true
      }
      precondition(
        parcel.bytes == transfer.bytes, "rank \(transfer.rank) sent something else than rank \(rank) expects")
      transfer.memory.copyMemory(from: parcel.memory, byteCount: parcel.bytes)
      parcel.isTaken.flag.store(true, ordering: .sequentiallyConsistent)
      return false
    }
    sent.removeAll { $0.flag.load(ordering: .sequentiallyConsistent) }
    return expected.isEmpty && sent.isEmpty
  }

  func loss() -> UserError? {
    hub.traffic.withLock { $0.lost.first }.map { UserError(.unavailable, "rank \($0) of \(count) has ended") }
  }

  func close(hasFailed: Bool) {}
}

extension Tiny {
  /// What came of a training by several ranks, on rank 0; and the weights of each rank at the end.
  struct Together: @unchecked Sendable {
    // Unchecked: one thread makes it, and another has it afterwards.
    var log = Log()
    var ending: Ending?
    var checkpoint: Checkpoint?
    /// Why a rank could not begin, or ended.
    var errors: [Int: UserError] = [:]
    var weights: [Int: [Float]] = [:]
  }

  /// Trains with `count` ranks, each a thread; see `train`.
  /// - Parameters:
  ///   - seed: of the delays between ranks.
  ///   - losing: a rank that is gone after so many steps.
  ///   - recipes: of a rank that has another one than the first.
  static func train(
    _ recipe: Recipe, ranks count: Int, seed: UInt64 = 1, on text: Corpus? = nil, from checkpoint: Checkpoint? = nil,
    asking requests: [Command] = [], after later: [Int: [Command]] = [:], isAttended: Bool = false,
    losing lost: (rank: Int, after: Int)? = nil
  ) throws -> Together {
    let hub = RankSwitch(count, seed: seed)
    let corpus = try text ?? corpus(recipe)
    let result = Mutex(Together())
    let threads = try (0..<count).map { rank in
      try WorkerThread("rank \(rank)", stackSize: 1 << 24) {
        // As the trainer's thread of a session.
        Team.flushSubnormals()
        do {
          let ranks = try Ranks { () throws(UserError) in ThreadLink(rank, hub) }
          defer { ranks.close() }
          let trainer = try Trainer.make(
            recipe: recipe, corpus: corpus, from: rank == 0 ? checkpoint : nil, threads: 1, name: "tiny", ranks: ranks)
          guard rank == 0 else {
            try trainer.follow()
            return result.withLock { $0.weights[rank] = trainer.currentWeights }
          }
          let commands = Mailbox<Request>()
          func ask(_ requests: [Command]) { for command in requests { commands.send(Request(command, by: .key)) } }
          ask(requests)
          let log = Log()
          let ending = trainer.run(
            obeying: commands, isAttended: isAttended,
            to: Trainer.Outlets(
              report: { event in
                log.events.append(event)
                guard case .stepped(let report) = event else { return }
                ask(later[report.step] ?? [])
                if let lost, lost.after == report.step { hub.lose(lost.rank) }
              }, save: { checkpoint in log.checkpoints.append(checkpoint) }))
          let isWhole = ranks.failure == nil
          let last = isWhole ? trainer.checkpoint : nil
          let weights = trainer.currentWeights
          trainer.endOrders()
          result.withLock {
            ($0.log, $0.ending, $0.checkpoint) = (log, ending, last)
            $0.weights[0] = weights
          }
        } catch {
          result.withLock { $0.errors[rank] = UserError(error, while: "training") }
        }
      }
    }
    for thread in threads { thread.join() }
    return result.withLock { $0 }
  }
}

extension Trainer {
  /// The weights as they are.
  var currentWeights: [Float] {
    let parameters = model.parameters.layout.count
    Team.flushSubnormals()
    defer { Team.keepSubnormals() }
    model.parameters.bringTablesUpToDate(threads: model.threads)
    return Array(UnsafeBufferPointer(start: model.parameters.weights, count: parameters))
  }
}
