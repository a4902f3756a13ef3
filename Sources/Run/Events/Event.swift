// What happened in a run, as values. The screen, `--json` and the run file all read these; there is no second path.

/// Something that happened. The trainer sends it, the session's hub numbers it, and every subscriber receives it.
package enum Event: Codable, Sendable, Equatable {
  /// A session began: of a new run, or of a resumed run.
  case began(Beginning)
  /// One optimizer step was taken.
  case stepped(StepReport)
  /// Many optimizer steps of a stored run, summed up for a screen. A live run reports every step.
  case summedUp(StepsReport)
  /// The held-out part was evaluated.
  case evaluated(Evaluation)
  /// The TOP head's ranking at one held-out position.
  case ordered(OrderSample)
  /// How the tables of memory layers were used since the evaluation before.
  case mapped(MemoryMap)
  /// The network generated text.
  case wrote(TextSample)
  /// A line of the log: a command carried out or refused, a checkpoint saved, a pause, a warning.
  case occurred(Occurrence)
  /// The event with this number, an occurrence for which `needsConfirmation` holds, is on the disk: a crash cannot undo
  /// it any more. Only in a live run.
  case confirmed(number: Int)
  /// Events that were left out for a slow subscriber; the run file has them all. Only in a live run.
  case gap(EventGap)
  /// The session ended; nothing comes after this.
  case ended(Ending)
}
