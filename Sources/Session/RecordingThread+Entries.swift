// The recorder's thread: it receives every event and every result of the checkpoint and sync threads, and makes the
// trainer wait while the disk is full.
import Dispatch
import Foundation
import Run
import RunFile
import Synchronization

extension RecordingThread {
  /// The state of the disk and of what waits for it.
  private struct DiskState {
    var bestStep = -1
    /// The number of checkpoints being written, including one that is tried again.
    var writing = 0
    /// The error that kept the newest checkpoint from being stored, and its step.
    var unsaved: (error: UserError, step: Int)?
    /// True if the trainer was asked to wait.
    var isHolding = false
    /// The number of failed syncs of the journal.
    var failures = 0
    /// True if confirmations wait until the journal can be synced again.
    var isBehind = false
    /// The number and the step of the newest checkpoint that was begun, and the number of the newest that is stored.
    var begun = (number: 0, step: 0)
    /// The place among all events of the checkpoint that was begun last, and whether it is the best so far, until its copy
    /// comes; nil also where it could not be begun.
    var awaited: (mark: CheckpointMark, isBest: Bool)?
    var stored = 0
    /// The requests that pending checkpoints answer, and their steps, by the checkpoints' numbers: of one step there may be several.
    var saving: [Int: (step: Int, requests: [Request])] = [:]
    /// What to confirm when the journal is on the disk.
    var unconfirmed = Confirmation()
  }

  /// Records a run from its beginning to its end.
  func record(_ beginning: Beginning, in place: RunReservation?) {
    let recorder: Recorder
    do {
      if let parent = beginning.parent { try request.past?.branch?.finish(at: parent.branched) }
      recorder =
        if let past = request.past {
          try Recorder(resuming: request.folder, from: past.step ?? 0, beginning: beginning, in: place)
        } else {
          try Recorder(creating: request.folder, beginning: beginning, in: place)
        }
    } catch {
      return outcomes.send(UserError(error, while: "beginning to record in \(request.folder)"))
    }
    outcomes.send(nil)
    record(with: recorder)
  }

  /// Handles entries until the trainer has ended and its last checkpoint is stored; then closes the file.
  private func record(with recorder: Recorder) {
    var disk = DiskState()
    var ending: Ending?
    var deadline = DispatchTime.distantFuture
    recorder.isSyncedElsewhere = true
    // What it has to say gets its place among all events: it is numbered, and comes back.
    recorder.noticesComeBack = true
    while ending == nil || (disk.writing > 0 && .now() < deadline) {
      let waiting = entries.takeAll(waitingUntil: .now() + 0.25)
      let start = DispatchTime.now()
      for entry in waiting {
        if case .end(let reason) = entry {
          ending = reason
          // Nobody said yet that this one is the last.
          if let (error, step) = disk.unsaved, step == reason.step {
            say(error, of: step, Self.last, with: recorder, &disk)
          }
        } else {
          take(entry, with: recorder, &disk, isLast: ending != nil)
        }
        // The weights exist only here now: the disk gets a minute to take them.
        if ending != nil, disk.unsaved != nil, deadline == .distantFuture { deadline = .now() + Self.patience }
      }
      publish(recorder.flushIfDue())
      // What the disk does not take is warned of, and holds up no checkpoint at the end.
      disk.unconfirmed.isLast = ending != nil
      send(&disk, of: recorder)
      if ending == nil { hold(recorder.isStalled || disk.unsaved != nil, &disk) }
      stalls?.send(Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9)
    }
    if let ending { finish(ending, with: recorder, &disk) }
  }

  /// Ends the other threads, closes the file, and publishes the end.
  private func finish(_ ending: Ending, with recorder: Recorder, _ disk: inout DiskState) {
    checkpoints.close()
    let (writer, journal) = threads.withLock { ($0.checkpoints, $0.journal) }
    // A disk that is in the middle of taking one may still do so.
    writer?.join(until: .now() + Self.grace)
    // What is said of these comes back, too.
    while true {
      let waiting = entries.takeAll()
      guard !waiting.isEmpty else { break }
      for entry in waiting { take(entry, with: recorder, &disk, isLast: true) }
    }
    recorder.noticesComeBack = false
    recorder.isSyncedElsewhere = false
    // The session ends when its last checkpoint is stored, so that the log's times never run back.
    var ending = ending
    ending.time = max(ending.time, Date().timeIntervalSince1970)
    record(.ended(ending), with: recorder)
    send(&disk, of: recorder)
    confirmations.close()
    let isJoined = journal?.join(until: .now() + Self.grace) ?? true
    let held = unconfirmed.withLock { $0.flatMap(\.events) }
    if held.isEmpty { hub.publish(.ended(ending)) }
    var failure = disk.unsaved.map { $0.error.ofCheckpoint($0.step) }
    do {
      try recorder.close()
    } catch {
      failure = failure ?? UserError(error, while: "closing \(RunFolder(request.folder).file)")
    }
    if !held.isEmpty {
      if failure == nil && isJoined { for number in held { hub.publish(.confirmed(number: number)) } }
      hub.publish(.ended(ending))
    }
    place.withLock { $0 = recorder.folder }
    hub.tell(.closed(failure))
  }

  private func take(_ entry: Entry, with recorder: Recorder, _ disk: inout DiskState, isLast: Bool) {
    switch entry {
    case .event(let event):
      if case .evaluated(let evaluation) = event.event, evaluation.isBest { disk.bestStep = evaluation.step }
      record(event.event, with: recorder)
      if case .occurred(let occurrence) = event.event, occurrence.needsConfirmation {
        disk.unconfirmed.events.append(event.number)
      }
    case .due(let step, let requests):
      let number = disk.begun.number + 1
      disk.begun = (number, step)
      disk.saving[number] = (step, requests)
      do {
        let (mark, notices) = try recorder.mark(step: step)
        publish(notices)
        disk.awaited = (mark: mark, isBest: step == disk.bestStep)
      } catch {
        disk.awaited = nil
        say(UserError(error, while: "beginning the checkpoint"), of: step, givingUp: number, with: recorder, &disk)
      }
    case .checkpoint(let parcel):
      guard let checkpoint = parcel.takeOut() else { preconditionFailure("a parcel has a checkpoint") }
      guard let (mark, isBest) = disk.awaited else { return buffers.giveBack() }
      disk.awaited = nil
      // An earlier one of the same step may never be stored: this one has its names, too.
      let all = disk.saving.sorted { $0.key < $1.key }.map(\.value).filter { $0.step == mark.step }.flatMap(\.requests)
      disk.writing += 1
      disk.unconfirmed.checkpoints.append(
        recorder.pending(checkpoint, at: mark, isBest: isBest, keptAs: all.keptNames, number: disk.begun.number))
    case .again(let request): saveAgain([request], &disk)
    case .stored(let stored):
      disk.writing -= 1
      disk.unsaved = nil
      publishSaved(stored, with: recorder, &disk)
    case .superseded: disk.writing -= 1
    case .synced(let sync): recorder.settle(sync)
    case .notSynced(let sync, let error):
      disk.failures += 1
      publish(recorder.takeBack(sync, error))
    case .notStored(let pending, let error):
      // What cannot be a checkpoint will not be one by waiting.
      if error.status == .data {
        disk.writing -= 1
        say(error, of: pending.step, givingUp: pending.number, with: recorder, &disk)
        return
      }
      recorder.makeRoom()
      let isNew = disk.unsaved?.step != pending.step
      let isHeld = disk.unsaved == nil
      disk.unsaved = (error, pending.step)
      let isOver = isLast || pending.step >= request.recipe.steps
      let advice =
        isOver
        ? Self.last
        : isHeld
          ? "; the run waits and tries again" + (isAttended ? "; space continues without the checkpoint" : "")
          : "; saving is tried again until a newer checkpoint replaces this one"
      if isNew { say(error, of: pending.step, advice, with: recorder, &disk) }
    case .end: break
    }
  }

  /// Makes the trainer wait while the disk refuses its data, and continue when the disk has room.
  private func hold(_ isNeeded: Bool, _ disk: inout DiskState) {
    guard isNeeded != disk.isHolding else { return }
    disk.isHolding = isNeeded
    requests.sendOwn(isNeeded ? .pause : .proceed)
  }

  private func record(_ event: Event, with recorder: Recorder) {
    do {
      publish(try recorder.record(event))
    } catch {
      let step = if case .stepped(let report) = event { report.step } else { 0 }
      publish([Occurrence(.failure, step: step, time: Date().timeIntervalSince1970, text: "\(error)")])
    }
  }

  private func publish(_ notices: [Occurrence]) { for notice in notices { hub.publish(.occurred(notice)) } }

  /// Answers of which no two have the same time, by which they are told apart.
  private func spaced(_ answers: [Occurrence]) -> [Occurrence] {
    var last = -Double.infinity
    return answers.map { answer in
      var answer = answer
      answer.time = max(answer.time, last + 1e-6)
      last = answer.time
      return answer
    }
  }

  /// Says that a checkpoint is stored, once for every name that it was given, and answers all requests for it and for earlier
  /// checkpoints that it replaced: the disk did not take those.
  private func publishSaved(_ stored: StoredCheckpoint, with recorder: Recorder, _ disk: inout DiskState) {
    disk.stored = stored.number
    let answered = disk.saving.filter { $0.key <= stored.number }
    for number in answered.keys { disk.saving[number] = nil }
    var lines: [Occurrence] = []
    func say(as name: String?, answering request: Request?) {
      var saved = stored.occurrence(at: Date().timeIntervalSince1970, as: name)
      if let request { (saved.actor, saved.request) = (request.actor, request.id) }
      lines.append(saved)
    }
    let own = answered.values.filter { $0.step == stored.step }.flatMap(\.requests)
    var answers: [Occurrence] = []
    for request in own.sorted(by: { ($0.id ?? 0) < ($1.id ?? 0) }) {
      if case .saveAs(let name) = request.command {
        say(as: name, answering: request)
      } else if lines.isEmpty {
        say(as: nil, answering: request)
      } else {
        answers.append(
          request.answer(.done, at: stored.step, "save: done: already saved at step \(Figure.grouped(stored.step))"))
      }
    }
    if lines.isEmpty { say(as: nil, answering: nil) }
    for (step, requests) in answered.values where step != stored.step {
      answers += requests.map { request in
        guard case .saveAs(let name) = request.command else {
          return request.answer(.done, at: stored.step, "save: done at step \(Figure.grouped(stored.step))")
        }
        return request.answer(
          .refused, at: stored.step,
          "the disk did not take the checkpoint of step \(Figure.grouped(step)), which was to be “\(name)”: that of "
            + "step \(Figure.grouped(stored.step)) is stored in its place, without the name")
      }
    }
    let all = spaced(lines + answers.sorted { ($0.request ?? 0) < ($1.request ?? 0) })
    for saved in all.prefix(lines.count) { publish(recorder.finish(saved)) }
    publish(all)
  }

  /// Answers requests for the state that was handed over last, when it is stored.
  private func saveAgain(_ requests: [Request], _ disk: inout DiskState) {
    let (number, step) = disk.begun
    guard disk.saving[number] == nil else {
      disk.saving[number]?.requests += requests
      return
    }
    let answers = requests.map { request in
      disk.stored == number
        ? request.answer(.done, at: step, "save: done: already saved at step \(Figure.grouped(step))")
        : request.answer(.refused, at: step, "the checkpoint of step \(Figure.grouped(step)) could not be written")
    }
    publish(spaced(answers))
  }

  /// Hands the pending confirmations to the sync thread.
  private func send(_ disk: inout DiskState, of recorder: Recorder) {
    let (pending, notices) = recorder.takeSync()
    publish(notices)
    disk.unconfirmed.sync = pending
    disk.unconfirmed.failures = disk.failures
    disk.unconfirmed.isRefused = pending == nil && recorder.isStalled
    // What waits there is let go of as soon as the disk has the journal.
    let isCaughtUp = disk.isBehind && !disk.unconfirmed.isRefused
    if pending != nil || isCaughtUp || disk.unconfirmed.hasContent { confirmations.send(disk.unconfirmed) }
    if disk.unconfirmed.isRefused { disk.isBehind = true } else if isCaughtUp { disk.isBehind = false }
    disk.unconfirmed = Confirmation()
  }

  private static let last = "; saving is retried for a minute, and a second interrupt ends the run without it"

  /// Reports that a checkpoint is not saved.
  /// - Parameter number: of the checkpoint, if it is given up; nil for one that is tried again, which has no answer yet.
  private func say(
    _ error: UserError, of step: Int, givingUp number: Int? = nil, _ advice: String = "", with recorder: Recorder,
    _ disk: inout DiskState
  ) {
    let requests = number.flatMap { disk.saving.removeValue(forKey: $0)?.requests } ?? []
    let failure = Occurrence(
      .failure, step: step, time: Date().timeIntervalSince1970, request: requests.first?.id,
      text: "the checkpoint is not saved: \(error.message)\(advice)")
    publish(spaced([failure] + requests.dropFirst().map { $0.answer(.refused, at: step, failure.text) }))
    if !recorder.noticesComeBack { record(.occurred(failure), with: recorder) }
  }
}

extension Request {
  /// The answer to a request to save, where the line of a stored checkpoint is none.
  fileprivate func answer(_ kind: Occurrence.Subject, at step: Int, _ text: String) -> Occurrence {
    Occurrence(
      kind, step: step, time: Date().timeIntervalSince1970, key: command.word, actor: actor, request: id, text: text)
  }
}

extension UserError {
  /// The final error of a checkpoint that the disk refused.
  fileprivate func ofCheckpoint(_ step: Int) -> UserError {
    UserError(
      status,
      "the checkpoint of step \(Figure.grouped(step)) is not saved, and the steps since the one before it are lost: "
        + message)
  }
}

extension [Request] {
  /// The names under which a checkpoint stays that these asked for; nil where nobody asked by hand.
  fileprivate var keptNames: [String]? {
    let byHand = filter(\.actor.isByHand)
    guard !byHand.isEmpty else { return nil }
    var names: [String] = []
    for case .saveAs(let name) in byHand.map(\.command) where !names.contains(name) { names.append(name) }
    return names
  }
}
