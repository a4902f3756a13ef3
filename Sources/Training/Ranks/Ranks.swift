// Processes that train one network together: each is a rank, with its rows of every batch. Rank 0 leads: it has the commands, the
// run's files and the clock; the others do what it says. Sums are made in the order of ranks, so that the same number of ranks
// gives the same losses to the bit.
//
// A thread of its own has the link (RankWorker). It carries out jobs in the order in which they were given, which is the same on
// all ranks. One process alone has no `Ranks`, and does nothing for it.
import Dispatch
import Foundation
import Run
import Synchronization

/// The ranks of a training, as one of them sees them.
package final class Ranks: Sendable {
  /// The number of this rank, from 0, and how many ranks there are: at least 2.
  package let rank: Int
  package let count: Int
  /// True for the rank that decides.
  package var isLeader: Bool { rank == 0 }

  typealias Job = @Sendable (RankWorker) throws(UserError) -> Void

  private struct Progress {
    var given = 0
    var done = 0
    var failure: UserError?
  }

  private let jobs: Mailbox<Job>
  private let progress: ProgressBox
  private let thread: WorkerThread

  /// What both threads look at.
  private final class ProgressBox: Sendable {
    let state = Mutex(Progress())
    let isAwaited = Atomic(false)
    let done = DispatchSemaphore(value: 0)
  }

  /// The link of this rank, on its way from the thread that made it.
  private struct MadeLink: Sendable {
    let rank: Int
    let count: Int
  }

  /// - Parameter open: makes the link, on the thread that will use it.
  /// - Throws: `UserError` when there is no link, or no thread.
  package init(_ open: @escaping @Sendable () throws(UserError) -> any RankLink) throws(UserError) {
    let jobs = Mailbox<Job>()
    let progress = ProgressBox()
    let made = Mailbox<Result<MadeLink, UserError>>()
    thread = try WorkerThread("ranks") {
      let link: any RankLink
      do throws(UserError) {
        link = try open()
      } catch {
        return made.send(.failure(error))
      }
      made.send(.success(MadeLink(rank: link.rank, count: link.count)))
      Ranks.serve(link, jobs, progress)
    }
    self.jobs = jobs
    self.progress = progress
    let answer = made.takeAll(waitingUntil: .distantFuture)[0]
    let link = try answer.get()
    (rank, count) = (link.rank, link.count)
  }

  private static func serve(_ link: any RankLink, _ jobs: Mailbox<Job>, _ progress: ProgressBox) {
    let worker = RankWorker(link) { progress.isAwaited.load(ordering: .relaxed) }
    while case let waiting = jobs.takeAll(waitingUntil: .distantFuture), !waiting.isEmpty || !jobs.isOver {
      for job in waiting {
        if progress.state.withLock({ $0.failure == nil }) {
          do throws(UserError) {
            try job(worker)
          } catch {
            progress.state.withLock { $0.failure = $0.failure ?? error }
          }
        }
        progress.state.withLock { $0.done += 1 }
        progress.done.signal()
      }
    }
    link.close(hasFailed: progress.state.withLock { $0.failure != nil })
  }

  /// The error after which ranks do nothing together any more; nil as long as all is well.
  package var failure: UserError? { progress.state.withLock { $0.failure } }

  /// Gives a job to the other thread, and goes on.
  func begin(_ job: @escaping Job) {
    progress.state.withLock { $0.given += 1 }
    jobs.send(job)
  }

  /// Waits until all jobs are done.
  /// - Throws: `UserError` when one of them, or one before, has failed.
  func finish() throws(UserError) {
    progress.isAwaited.store(true, ordering: .relaxed)
    defer { progress.isAwaited.store(false, ordering: .relaxed) }
    while true {
      let (isDone, failure) = progress.state.withLock { ($0.done == $0.given, $0.failure) }
      if isDone {
        if let failure { throw failure }
        return
      }
      progress.done.wait()
    }
  }

  /// Ends the connection: after rank 0 has said that it does, or after a failure.
  package func close() {
    jobs.close()
    thread.join()
  }
}

// MARK: Small numbers

extension Ranks {
  /// Gives all ranks the numbers of rank 0; their count is the same everywhere.
  func broadcast(_ words: inout [Double]) throws(UserError) {
    guard let bytes = WordBlock(words) else { return }
    begin { worker throws(UserError) in
      if worker.link.rank == 0 {
        for other in worker.others { try worker.link.begin(.send(to: other, bytes.base, bytes: bytes.size)) }
      } else {
        try worker.link.begin(.receive(from: 0, bytes.base, bytes: bytes.size))
      }
      try worker.settle()
    }
    try finish()
    words = bytes.words
  }

  /// Rank 0's word on a question; what other ranks say is not asked for.
  func decide(_ isSo: Bool) throws(UserError) -> Bool {
    var words = [isSo ? 1.0 : 0]
    try broadcast(&words)
    return words[0] != 0
  }

  /// Gives all ranks the numbers of each, in the order of ranks; their count is the same everywhere.
  func share(_ words: [Double]) throws(UserError) -> [[Double]] {
    guard let all = WordBlock(Array(repeating: words, count: count).flatMap { $0 }) else {
      return Array(repeating: [], count: count)
    }
    let size = words.count * MemoryLayout<Double>.stride
    begin { worker throws(UserError) in
      let own = all.base + worker.link.rank * size
      for other in worker.others {
        try worker.link.begin(.receive(from: other, all.base + other * size, bytes: size))
        try worker.link.begin(.send(to: other, own, bytes: size))
      }
      try worker.settle()
    }
    try finish()
    let shared = all.words
    return (0..<count).map { Array(shared[$0 * words.count..<($0 + 1) * words.count]) }
  }

  /// The sums of numbers over ranks, in the order of ranks.
  func sum(_ words: [Double]) throws(UserError) -> [Double] {
    try share(words).reduce(into: Array(repeating: 0, count: words.count)) { sum, own in
      for index in own.indices { sum[index] += own[index] }
    }
  }

  /// Tells all ranks whether each could do its part.
  /// - Parameter failure: why this rank could not; nil if it could.
  /// - Throws: `UserError` with the sentence of the first rank that could not, on every rank.
  package func agree(on failure: UserError?) throws(UserError) {
    let states = try share([failure == nil ? 0 : Double(failure!.status.rawValue)]).map { $0[0] }
    guard let first = states.firstIndex(where: { $0 != 0 }) else { return }
    try explain(first, UserError.Status(rawValue: Int32(states[first])) ?? .unavailable, failure)
  }

  /// Throws, on every rank, the sentence of the first rank that has failed.
  /// - Parameters:
  ///   - rank: the first that has.
  ///   - own: the error of this rank, if it has one.
  func explain(_ rank: Int, _ status: UserError.Status, _ own: UserError?) throws(UserError) -> Never {
    // A sentence as numbers: it is needed once.
    var bytes = Array((own?.message ?? "").utf8.prefix(Self.mostOfSentence))
    bytes += Array(repeating: 0, count: Self.mostOfSentence - bytes.count)
    let all = try share(bytes.map(Double.init))
    let sentence = String(decoding: all[rank].map { UInt8($0) }.prefix { $0 != 0 }, as: UTF8.self)
    throw UserError(status, rank == 0 ? sentence : "rank \(rank) of \(count): \(sentence)")
  }

  private static var mostOfSentence: Int { 1024 }
}

/// Numbers in memory of their own, which another thread reads and writes meanwhile.
private final class WordBlock: @unchecked Sendable {
  // Unchecked: the thread that made it waits while the other uses it.
  private let numbers: UnsafeMutableBufferPointer<Double>
  var base: UnsafeMutableRawPointer { UnsafeMutableRawPointer(numbers.baseAddress!) }
  var size: Int { numbers.count * MemoryLayout<Double>.stride }
  var words: [Double] { Array(numbers) }

  /// - Returns: nil without a number.
  init?(_ words: [Double]) {
    guard !words.isEmpty else { return nil }
    numbers = .allocate(capacity: words.count)
    _ = numbers.initialize(from: words)
  }

  deinit { numbers.deallocate() }
}
