// Which TOP sample is shown, and with which one of the same probe it is compared.
import Run
import TerminalUI

extension Dashboard {
  /// The sample that the order panel shows.
  var sample: OrderSample? {
    guard let sampleIndex, samples.indices.contains(sampleIndex) else { return samples.last }
    return samples[sampleIndex]
  }

  /// The steps of earlier samples of the shown probe, oldest first.
  private var earlierSteps: [Int] {
    guard let sample else { return [] }
    var steps: [Int] = []
    for other in samples where other.probe == sample.probe && other.step < sample.step && other.step != steps.last {
      steps.append(other.step)
    }
    return steps
  }

  /// The sample of the same probe whose ranks stand beside the shown ones: the chosen one, or the first there is.
  var comparedSample: OrderSample? {
    guard let sample, let step = comparedStep.flatMap({ earlierSteps.contains($0) ? $0 : nil }) ?? earlierSteps.first
    else { return nil }
    return samples.first { $0.probe == sample.probe && $0.step == step }
  }

  /// Whether a key moves the comparison; otherwise a point takes a step.
  var comparesChosenSample: Bool { comparedStep != nil || (!steers || isEnded) && sample != nil }

  /// Chooses the sample before, or after, the one that is compared; after the last there is the first again.
  mutating func compareSample(_ direction: Int) {
    let steps = earlierSteps
    guard !steps.isEmpty else {
      message = "there is no earlier sample of this probe"
      return
    }
    // Unless one was chosen, it is the first.
    let index = comparedStep.flatMap { steps.firstIndex(of: $0) } ?? (direction < 0 ? steps.count : 0)
    let next = index + direction
    comparedStep = steps.indices.contains(next) ? steps[next] : direction > 0 ? nil : steps[0]
    message =
      comparedStep.map { "compared with the sample of step \(Figure.grouped($0))" }
      ?? "compared with the first sample"
  }

  /// Shows the previous or the next probe of which a stored run has samples.
  mutating func chooseStoredProbe(_ direction: Int) {
    let probes = Set(samples.map(\.probe)).sorted()
    guard let sample, probes.count > 1, let place = probes.firstIndex(of: sample.probe) else {
      message = "this run has samples of one probe only; , and . step through them"
      return
    }
    let probe = probes[(place + direction + probes.count) % probes.count]
    sampleIndex = samples.lastIndex { $0.probe == probe }
    comparedStep = nil
  }
}
