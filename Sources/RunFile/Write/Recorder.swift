// The writer of a run's folder: every event is recorded here, and is written within a second.
import Foundation
import Run

/// Writes one session of a run. Only one thread may use it at a time. A run has at most one recorder, which run.lock
/// ensures.
package final class Recorder {
  /// The current path of the run's folder.
  package internal(set) var folder: String
  let place: RunPlace
  /// True if the folder was removed, which was reported.
  var isRemoved = false
  /// The first event of this session.
  package let beginning: Beginning

  var store: Store
  /// The stored rows to compare with, in a resumed run.
  var replay: Replay
  /// The rows to be removed from the file because a replay came out differently.
  var cut: ReplacedHistory?
  /// The number of the next event that is not a step.
  private(set) var nextSequence: Int
  /// True if the open file failed: it must not be touched, and is opened again.
  var isBroken = false
  /// True if the disk is full or failing, so that rows wait in memory.
  package internal(set) var isStalled = false
  /// The last error of the disk.
  var refusal: UserError?
  var isClosed = false
  var lastFlush = DispatchTime.now()
  private var lastStep: Int
  private var lock: RunLock?
  var journal: Journal
  /// When the run began, by which the other files identify the run; nil if run.h5 does not say so.
  let created: Double?
  /// The copy of run.h5 that is being made so that a new journal can begin; run.h5 is not written meanwhile.
  var rotation: Rotation?
  /// The fewest bytes of the journal at which a new journal begins.
  package var leastRotation = 64 << 20
  /// The size up to which the journal grows after a failed copy.
  var rotatesFrom = 0
  var lastSync = DispatchTime.now()
  /// True if another thread syncs, see `takeSync`, since a sync would delay rows by milliseconds.
  package var isSyncedElsewhere = false
  var needsSync = false
  /// True if the caller passes returned lines to `record` again, so that they are recorded in the order of all events;
  /// otherwise they are recorded at once.
  package var noticesComeBack = false
  /// True if libhdf5 failed in this session: the journal is then kept for the next session.
  var hasFailed = false
  /// This session's record in /sessions.
  private var session: RecordFormat.Record = [:]
  private var sessionIndex = 0

  /// Begins a new run.
  /// - Parameters:
  ///   - folder: `runs/NAME`; it must not exist, or have only leftovers of a process that was killed before its run began.
  ///     Its parents are made.
  ///   - place: the folder, where it was taken before.
  /// - Throws: `UserError` when the folder exists, cannot be made, or has an invalid name.
  package init(creating folder: String, beginning: Beginning, in place: RunReservation? = nil) throws {
    lock = try (place ?? RunReservation(new: folder)).takeLock()
    do {
      try FileSystem.create(RunFolder(folder).checkpoints)
      self.place = try RunPlace(folder)
      journal = try Journal(creating: RunFolder(folder).journal, of: beginning.time)
      store = try Store.create(RunFolder(folder).file, beginning: beginning)
    } catch {
      UnstartedRun.clear(folder)
      throw error
    }
    self.folder = folder
    self.beginning = beginning
    created = beginning.time
    nextSequence = 0
    lastStep = beginning.step
    replay = Replay()
    store.attach(journal)
    do {
      try begin()
      try store.publish()
      try FileSystem.sync(folder)
    } catch {
      store.abandon()
      isClosed = true
      UnstartedRun.clear(folder)
      throw error
    }
  }

  /// Resumes a run: repairs its files after a crash, keeps all rows, and compares steps that are computed again with
  /// the stored rows.
  /// - Parameters:
  ///   - step: the step of the checkpoint from which training continues; 0 starts again.
  ///   - place: the folder, where it was taken before.
  /// - Throws: `UserError` when another process writes the run, or its files cannot be repaired.
  package init(
    resuming folder: String, from step: Int, beginning: Beginning, in place: RunReservation? = nil
  ) throws {
    lock = try (place ?? RunReservation(resuming: folder)).takeLock()
    self.place = try RunPlace(folder)
    self.folder = folder
    self.beginning = beginning
    let checkpoints = CheckpointFolder(folder)
    try checkpoints.removeTemporaryFiles()
    let sequence = step == 0 ? 0 : try checkpoints.sequence(of: step)
    (store, journal) = try Recovery.resume(folder)
    created = try store.created
    guard store.heads == beginning.recipe.heads else {
      let stored = store.heads.map(\.name).joined(separator: ", ")
      let wanted = beginning.recipe.heads.map(\.name).joined(separator: ", ")
      throw UserError(
        .usage, "this run trains the heads \(stored), and the recipe now asks for \(wanted): begin a new run for that")
    }
    nextSequence = try Recovery.nextSequence(of: store)
    lastStep = beginning.step
    replay = try Replay(store, after: step, sequence: sequence)
    try begin()
  }

  deinit { if !isClosed { letGo() } }

  private func begin() throws {
    let start = SessionStart(beginning)
    store.beginnings.append(try FileLayout.row(start, step: beginning.step, time: beginning.time, at: nextPlace()))
    sessionIndex = store.sessions.total
    session = [
      "start": .number(beginning.time), "end": .number(.nan), "pid": .whole(Int(getpid())),
      "host": .text(Host.name), "from": .whole(beginning.step),
    ]
    store.sessions.append(session)
    let notes = takeNotes()
    try journal.sync()
    try store.reserve()
    try store.write()
    notes?.remove()
  }

  // MARK: Events

  /// Records an event.
  /// - Returns: notices for the screen, which are recorded already: a difference in a replay, a full disk, or a disk
  ///   that has room again.
  package func record(_ event: Event) throws -> [Occurrence] {
    precondition(!isClosed, "a closed recorder takes no events")
    var notices: [Occurrence] = []
    switch event {
    case .began: return []  // Recorded by `init`.
    case .stepped(let report):
      lastStep = report.step
      notices = compared(report)
      if notices.isEmpty && !isDue(.now()) { return [] }
    case .summedUp: preconditionFailure("every step is recorded by itself")
    case .evaluated(let evaluation): notices = compared(evaluation)
    case .ordered(let sample): try append(sample, step: sample.step, to: store.orders, unless: &replay.orders)
    case .mapped(let map): try append(map)
    case .wrote(let sample): try append(sample, step: sample.step, to: store.texts, unless: &replay.texts)
    case .occurred(let occurrence):
      guard occurrence.isRecorded else { return [] }
      if !replay.recognises(occurrence) { append(occurrence) }
    case .confirmed, .gap: return []  // For those who follow a run that goes on.
    case .ended(let ending): end(ending)
    }
    for notice in notices { keep(notice) }
    if case .occurred = event {} else if notices.isEmpty { return flush(syncing: false) }
    return notices + flush(syncing: true)
  }

  private func append(
    _ sample: some Encodable, step: Int, to table: Table, unless known: inout [Replay.StoredSample]
  ) throws {
    let payload = try StoredJSON.encoded(sample)
    if let index = known.firstIndex(where: { $0.payload == payload }) {
      known.remove(at: index)
    } else {
      table.append(try FileLayout.row(sample, step: step, time: now, at: nextPlace()))
    }
  }

  /// Stores how memory layers were used, unless it is stored already: what was counted depends on where a session began.
  private func append(_ map: MemoryMap) throws {
    guard let maps = store.maps, replay.maps.removeValue(forKey: map.step) == nil else { return }
    maps.append(try FileLayout.row(map, step: map.step, time: now, at: nextPlace()))
  }

  func append(_ occurrence: Occurrence) { store.events.append(FileLayout.record(occurrence, at: nextPlace())) }

  /// Records a notice of the recorder, unless the notice comes back as an event.
  func keep(_ notice: Occurrence) { if !noticesComeBack { append(notice) } }

  private func end(_ ending: Ending) {
    let place = nextPlace()
    session["end"] = .number(ending.time)
    session["step"] = .whole(ending.step)
    session["how"] = .text(ending.reason.rawValue)
    session["sequence"] = .whole(place.sequence)
    session["row"] = .whole(place.row)
    store.sessions.update(session, at: sessionIndex)
  }

  /// The place of an event recorded now.
  func nextPlace() -> FileLayout.Position {
    defer { nextSequence += 1 }
    return FileLayout.Position(sequence: nextSequence, row: store.metrics.total)
  }

  /// A notice of the recorder.
  func notice(_ kind: Occurrence.Subject, _ text: String, key: String = "", new: Double? = nil) -> Occurrence {
    Occurrence(kind, step: lastStep, time: now, key: key, new: new, text: text)
  }

  var now: Double { Date().timeIntervalSince1970 }

  // MARK: The end

  /// Ends the session: everything is on the disk, the file is closed, and the lock is released.
  /// - Parameter how: the reason of the end, if no `.ended` event said so; nil leaves the end open, as in a killed
  ///   session.
  /// - Throws: `UserError` when the disk refuses the waiting rows, which are then lost.
  package func close(_ how: Ending.Reason? = nil) throws {
    guard !isClosed else { return }
    if let how, session["how"] == nil { end(Ending(how, step: lastStep, time: now)) }
    rotation?.cancel()
    rotation = nil
    let notes = isBroken ? nil : takeNotes()
    flushNow()
    isClosed = true
    defer { lock = nil }
    guard !isRemoved else { throw lost() }
    guard !isBroken, !store.hasWaiting else {
      HDF5.alone { store.abandon() }
      let reason = refusal.map { ": \($0.message)" } ?? ""
      throw UserError(
        .inputOutput,
        "the end of the run could not be written to \(RunFolder(folder).file)\(reason); then resume the run")
    }
    HDF5.alone { store.close() }
    // After a failure the journal may have what the file lost: the next session looks.
    if !hasFailed { try HDF5.alone { try Recovery.settle(folder, like: store) } }
    notes?.remove()
    lock = nil
    if !hasFailed { takeLateNotes() }
  }

  /// As `close`, for a recorder that was not closed; errors are ignored.
  private func letGo() {
    rotation?.cancel()
    rotation = nil
    flushNow()
    HDF5.alone { if isBroken || store.hasWaiting { store.abandon() } else { store.close() } }
  }
}
