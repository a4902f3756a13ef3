// Writes recorded rows to the disk: once a second; rows that the disk refuses stay in memory, and writing is tried
// again.
import Foundation
import Run

extension Recorder {
  /// Nanoseconds that a row may wait, so that readers see it in less than a second, including the time of writing.
  private static let interval: UInt64 = 800_000_000

  /// Writes the waiting rows if the last write was long enough ago. To be called a few times a second.
  /// - Returns: as `record`.
  package func flushIfDue(now: DispatchTime = .now()) -> [Occurrence] { isDue(now) ? flush(syncing: true) : [] }

  func isDue(_ now: DispatchTime) -> Bool {
    now.uptimeNanoseconds >= lastFlush.uptimeNanoseconds + Self.interval
  }

  /// Writes all waiting rows. Rows that the disk refuses stay in memory, and writing is tried again.
  /// - Returns: as `record`.
  @discardableResult package func flush() -> [Occurrence] { flush(syncing: true) }

  /// - Parameter isSyncing: whether to wait until the journal is on the disk; this happens once a second in any case.
  func flush(syncing isSyncing: Bool) -> [Occurrence] {
    // What the disk did not take is not tried again for every event.
    if isStalled && !isDue(.now()) { return [] }
    return flushNow(syncing: isSyncing)
  }

  @discardableResult func flushNow(syncing isSyncing: Bool = true) -> [Occurrence] {
    if let notice = follow() { return [notice] + flushNow(syncing: isSyncing) }
    lastFlush = .now()
    // Before rows are taken out of the file, those that replace them are on the disk.
    if isSyncing || cut != nil || lastFlush.uptimeNanoseconds >= lastSync.uptimeNanoseconds + Self.interval {
      lastSync = lastFlush
      if isSyncedElsewhere, cut == nil, !isStalled {
        needsSync = true
      } else {
        do {
          try journal.sync()
        } catch {
          return stalled(error)
        }
      }
    }
    if let rotation {
      guard let result = rotation.result else { return [] }
      if let problem = finishRotation(result) { return [problem] }
    }
    guard isBroken || cut != nil || store.hasWaiting else { return [] }
    do {
      try HDF5.alone { try writeStore() }
    } catch {
      return stalled(error)
    }
    beginRotationIfDue()
    guard isStalled else { return [] }
    isStalled = false
    let notice = notice(.notice, "the disk can be written again; nothing was lost")
    keep(notice)
    return [notice] + flushNow()
  }

  /// The sync that another thread must wait for before the events recorded since the last call are confirmed.
  /// - Returns: nil if all is on the disk already, or if the disk refuses; then also lines as `record` returns them.
  package func takeSync() -> (pending: PendingSync?, notices: [Occurrence]) {
    guard needsSync else { return (nil, []) }
    needsSync = false
    do {
      return (try journal.pendingSync(), [])
    } catch {
      return (nil, stalled(error))
    }
  }

  /// Reports that a sync failed on another thread. Its entries are kept, and the sync is tried again.
  /// - Returns: as `record`.
  package func takeBack(_ pending: PendingSync, _ error: UserError) -> [Occurrence] {
    journal.takeBack(pending)
    return stalled(error)
  }

  /// Reports that a sync succeeded on another thread.
  package func settle(_ pending: PendingSync) { journal.settle(pending) }

  private func writeStore() throws {
    if isBroken || cut != nil { try reopen() }
    try store.reserve()
    try writeOrBreak()
  }

  private func stalled(_ error: any Error) -> [Occurrence] {
    refusal = UserError(error, while: "writing \(RunFolder(folder).file)")
    guard !isStalled else { return [] }
    isStalled = true
    let warning = notice(.warning, "\(error); events are kept in memory, and writing is tried again every second")
    keep(warning)
    return [warning]
  }

  /// Opens run.h5 again: after a failure, and to remove rows, which is impossible with concurrent readers.
  private func reopen() throws {
    let path = RunFolder(folder).file
    let old = store
    if isBroken {
      hasFailed = true
      // libhdf5 still has the failed file open and would hand it out again; a copy is another file to it.
      old.abandon()
    } else {
      try old.reserve()
      try writeOrBreak()
      old.close()
      isBroken = true
    }
    try Recovery.rewrite(path, removing: old.hasUnconfirmed ? nil : cut, spare: old.waitingSize + 2 << 20)
    if !old.hasUnconfirmed { cut?.clear() }
    let new = try Recovery.append(path)
    new.adopt(from: old)
    new.attach(journal)
    store = new
    isBroken = false
    if old.hasUnconfirmed && cut != nil { return try reopen() }
    try setAside()
    cut = nil
  }

  private func writeOrBreak() throws {
    do {
      try store.write()
    } catch {
      isBroken = true
      throw error
    }
  }
}
