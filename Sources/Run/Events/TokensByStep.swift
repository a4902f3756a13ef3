// How many tokens a run had seen at each of its steps: an occurrence, which may report an earlier step than the newest, has its own number.

/// The numbers of tokens at the steps that were taken. A number grows by the same amount at each step, until the batch changes: what is
/// kept are the steps at which that amount changed.
package struct TokensByStep: Sendable {
  private struct TokenGrowth {
    let step: Int
    let tokens: Int
    /// What one step adds; 0 as long as only the first step is known.
    var perStep: Int
  }

  private var stretches: [TokenGrowth] = []
  private var last = (step: 0, tokens: 0)

  /// More changes of the batch than a session has.
  private static let most = 1024

  package init() {}

  /// Records the total of tokens after a step. Steps ascend.
  package mutating func note(_ tokens: Int, after step: Int) {
    defer { last = (step, tokens) }
    guard let stretch = stretches.last else {
      return stretches.append(TokenGrowth(step: step, tokens: tokens, perStep: 0))
    }
    guard step > last.step else { return }
    let perStep = (tokens - last.tokens) / (step - last.step)
    guard perStep != stretch.perStep else { return }
    if stretch.step == last.step { stretches.removeLast() }
    stretches.append(TokenGrowth(step: last.step, tokens: last.tokens, perStep: perStep))
    if stretches.count > Self.most { stretches.removeFirst() }
  }

  /// Notes an event's tokens, or gives an occurrence those of its step.
  /// - Returns: the event.
  package mutating func counted(_ event: Event) -> Event {
    switch event {
    case .began(let beginning): note(beginning.tokens, after: beginning.step)
    case .stepped(let report): note(report.tokens, after: report.step)
    case .occurred(var occurrence):
      occurrence.tokens = self[occurrence.step]
      return .occurred(occurrence)
    default: break
    }
    return event
  }

  /// The number of tokens that a run had seen after a step; nil if the step was not noted.
  package subscript(step: Int) -> Int? {
    guard step <= last.step, let stretch = stretches.last(where: { $0.step <= step }) else { return nil }
    return stretch.tokens + (step - stretch.step) * stretch.perStep
  }
}
