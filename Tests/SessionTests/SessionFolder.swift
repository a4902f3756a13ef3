// A folder with a made-up text, for sessions of a network so small that thousands of its steps take a second.
import Corpus
import Dispatch
import Foundation
import Run
import Session
import Support

/// Where the runs of a test are; gone with it.
final class SessionFolder: Sendable {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("foretop-session-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let words = ["the", "lookout", "sees", "a", "sail", "and", "calls", "down", "to", "deck"]
    let text = (0..<800).map { words[($0 &* 7919 &+ $0 / 7) % words.count] }.joined(separator: " ")
    try text.write(toFile: "\(path)/text.txt", atomically: false, encoding: .utf8)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func recipe(steps: Int, accumulation: Int = 1) -> Recipe {
    var recipe = Recipe.tinyRun(steps: steps)
    recipe.batch.rows = 1
    recipe.batch.accumulation = accumulation
    recipe.schedule.rate = 1e-3
    recipe.data.paths = ["\(path)/text.txt"]
    (recipe.evaluate.every, recipe.sample.every, recipe.save.every) = (0, 0, 0)
    return recipe
  }

  func source(_ recipe: Recipe) -> Corpus.Source {
    Corpus.Source(recipe, paths: recipe.data.paths, cache: "\(path)/cache", runs: path)
  }

  func request(_ name: String, _ recipe: Recipe) -> RunRequest {
    RunRequest(
      recipe: recipe, address: RunAddress(name: name, runs: path), source: source(recipe), threads: 1)
  }
}

/// What a subscriber has heard, and hears.
struct Reader {
  let subscription: Subscription
  private(set) var events: [NumberedEvent] = []
  private(set) var isOver = false
  /// The first event that no wait has looked at.
  private var next = 0

  init(_ subscription: Subscription) { self.subscription = subscription }

  /// Reads until an event behind those that waits have looked at is such a one, or the session is over.
  /// - Returns: the event.
  @discardableResult mutating func read(until isMeant: (Event) -> Bool) -> Event? {
    while true {
      // What came together with an event that was waited for is not lost for the next wait.
      while next < events.count {
        next += 1
        if isMeant(events[next - 1].event) { return events[next - 1].event }
      }
      guard !isOver else { return nil }
      for message in subscription.take(waitingUntil: .distantFuture) {
        switch message {
        case .event(let event): events.append(event)
        case .closed, .failed: isOver = true
        case .preparing, .progress, .evaluating, .stopped, .cancelled: break
        }
      }
    }
  }

  mutating func readToEnd() { read { _ in false } }

  var steps: [StepReport] { events.compactMap { if case .stepped(let report) = $0.event { report } else { nil } } }
  var occurrences: [Occurrence] {
    events.compactMap { if case .occurred(let occurrence) = $0.event { occurrence } else { nil } }
  }
  var ending: Ending? { events.compactMap { if case .ended(let ending) = $0.event { ending } else { nil } }.last }
  func answer(to request: Int) -> Occurrence? { occurrences.first { $0.request == request } }
}

extension Event {
  /// What the run file tells of it, in a few words; nil for what it does not keep.
  var gist: String? {
    switch self {
    case .began(let beginning): "began \(beginning.step)"
    case .stepped(let report): "step \(report.step) \(report.total)"
    case .evaluated(let evaluation): "evaluated \(evaluation.step)"
    case .ordered(let sample): "order \(sample.step) \(sample.probe)"
    case .mapped(let map): "mapped \(map.step)"
    case .wrote(let sample): "wrote \(sample.step) \(sample.text)"
    case .occurred(let occurrence) where occurrence.kind != .done:
      "\(occurrence.kind) \(occurrence.step) \(occurrence.text)"
    case .ended(let ending): "ended \(ending.step)"
    case .occurred, .confirmed, .gap, .summedUp: nil
    }
  }
}
