// The reliability diagram, made from the numbers of an evaluation.
import Testing

@testable import Run

@Suite struct ReliabilityTests {
  private func evaluation(_ numbers: [MeasuredNumber]) -> Evaluation {
    Evaluation(step: 1, tokens: 1, time: 0, losses: [], diagnostics: numbers, isBest: false, seconds: 0)
  }

  @Test func `bins have their bounds, and what was measured of them`() throws {
    let diagram = try #require(
      evaluation([
        MeasuredNumber("calibration/3-accuracy", 0.25), MeasuredNumber("calibration/3-confidence", 0.375),
        MeasuredNumber("calibration/3-count", 8), MeasuredNumber("calibration/4-count", 0),
        MeasuredNumber("calibration/ece", 0.125),
      ]).reliability)
    #expect(diagram.bins.count == 10 && diagram.error == 0.125)
    let bin = diagram.bins[3]
    #expect(bin.lower == 0.3 && bin.upper == 0.4)
    #expect(bin.confidence == 0.375 && bin.accuracy == 0.25 && bin.count == 8)
    #expect(diagram.bins[4].accuracy.isNaN && diagram.bins[4].count == 0)
    #expect(
      diagram.json.line.contains(
        #"{"from":0.3,"to":0.4,"confidence":0.375,"accuracy":0.25,"count":8.0},{"from":0.4,"to":0.5,"count":0.0}"#))
  }

  @Test func `without positions there is no diagram`() {
    #expect(evaluation([]).reliability == nil)
    #expect(evaluation([MeasuredNumber("calibration/3-count", 0)]).reliability == nil)
    #expect(evaluation([MeasuredNumber("entropy/mean", 2)]).reliability == nil)
  }

  @Test func `charts have the numbers that have a course, in the order of their bins`() {
    var recipe = Recipe()
    recipe.objective.top = 0
    let calibration = DiagnosticKind.calibration
    #expect(calibration.charted(recipe).map(\.path) == ["calibration/ece", "calibration/confidence"])
    #expect(Set(calibration.listed(recipe).map(\.path)) == Set(calibration.numbers(recipe).map(\.path)))
    #expect(calibration.listed(recipe).last?.path == "calibration/seconds")
    let places = DiagnosticKind.position.charted(recipe).map { DiagnosticKind.position.part(of: $0) }
    #expect(places.prefix(5) == ["ntp-from-0", "ntp-from-1", "ntp-from-2", "ntp-from-4", "ntp-from-8"])
    #expect(DiagnosticKind.states.charted(recipe).map { DiagnosticKind.states.hasOwnScale($0) } == [false, true])
    for kind in DiagnosticKind.all {
      let hasCounts = kind.charted(recipe).contains { $0.isCount }
      #expect(!hasCounts, "\(kind.name)")
    }
  }

  @Test func `some of many are spread from the first to the last`() {
    #expect((0..<3).spread(most: 5) == [0, 1, 2])
    #expect((0..<9).spread(most: 5) == [0, 2, 4, 6, 8])
    #expect((10..<110).spread(most: 2) == [10, 109])
    #expect((0..<0).spread(most: 2).isEmpty)
  }
}
