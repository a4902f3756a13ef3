// What a user changes while the run goes on, the rate and the weights of the losses, and how a command is refused.
import Foundation
import Run

extension Trainer {
  mutating func change(_ change: RateChange, for request: Request, _ outlets: Outlets) {
    let old = rate
    let new = change.applied(to: old)
    guard RateChange.bounds.contains(new), scheduledRate > 0 else {
      return refuse(
        request, "the rate stays \(compact(old)): \(compact(new)) is not above 0 and at most \(RateChange.largest)",
        outlets)
    }
    // Always by the new rate, so that replaying a stored rate gives the same bits.
    state.rateFactor = new / scheduledRate
    outlets.report(
      .occurred(
        Occurrence(
          .rate, step: state.step, time: wallTime(), key: "rate", old: old, new: new, actor: request.actor,
          text: "rate \(compact(old)) → \(compact(new))")))
  }

  mutating func change(_ change: WeightChange, for request: Request, _ outlets: Outlets) {
    let name = change.head.name
    guard heads.contains(change.head) else {
      return refuse(request, "the weight of \(name) cannot change: this network does not have that head", outlets)
    }
    guard change.isInRange else {
      return refuse(
        request,
        "the weight of \(name) stays \(short(weight(of: change.head))): \(short(change.weight)) is not from 0 to "
          + "\(Int(WeightChange.largest))", outlets)
    }
    guard change.weight > 0 || heads.contains(where: { $0 != change.head && weight(of: $0) > 0 }) else {
      return refuse(
        request,
        "the weight of \(name) stays \(short(weight(of: change.head))): no other loss has one, and nothing would be"
          + " learned", outlets)
    }
    let old = weight(of: change.head)
    setWeight(of: change.head, to: change.weight)
    outlets.report(
      .occurred(
        Occurrence(
          .weight, step: state.step, time: wallTime(), key: name, old: old, new: change.weight, actor: request.actor,
          text: "weight of \(name) \(short(old)) → \(short(change.weight))")))
  }

  /// Says that a command is not obeyed; `key` names it.
  func refuse(_ request: Request, _ text: String, _ outlets: Outlets) {
    outlets.report(
      .occurred(
        Occurrence(
          .refused, step: state.step, time: wallTime(), key: request.command.word, actor: request.actor, text: text)))
  }
}

/// At most three significant digits, as a rate is written: 2.4e-4.
private func compact(_ value: Double) -> String {
  guard value.isFinite else { return "\(value)" }
  let parts = String(format: "%.2e", value).split(separator: "e")
  let digits = parts[0].reversed().drop { $0 == "0" }.drop { $0 == "." }
  return "\(String(digits.reversed()))e\(Int(parts[1]) ?? 0)"
}

/// At most four significant digits, as a weight is written: 0.5.
private func short(_ value: Double) -> String { String(format: "%.4g", value) }
