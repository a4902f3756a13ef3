// Pictures for papers are well-formed XML, with their text as text.
import Foundation
import FoundationXML
import Run
import Testing

@testable import Export

@Suite struct SVGPictureTests {
  private final class ElementCounter: NSObject, XMLParserDelegate {
    var elements: [String: Int] = [:]
    var lines: [[String: String]] = []
    var text = ""
    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String] = [:]
    ) {
      elements[name, default: 0] += 1
      if name == "line" { lines.append(attributes) }
    }
    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
  }

  private static var chart: ChartData {
    var chart = ChartData(
      title: "a <b> & \"c\"", xLabel: "samples", yLabel: "share",
      curves: [
        ChartData.DataCurve(
          "one", xs: [0, 10, 20], ys: [0, 0.5, 1], lower: [0, 0.2, 0.5], upper: [0.5, 0.9, 1], isStepped: true),
        ChartData.DataCurve("two", xs: [5], ys: [0.25]),
      ], notes: ["seeds: 1, 2"])
    chart.isXLogarithmic = false
    return chart
  }

  @Test func `a picture has its lines, bands, labels and notes`() throws {
    let counter = ElementCounter()
    let parser = XMLParser(data: Data(try SVGPicture.text(of: Self.chart).utf8))
    parser.delegate = counter
    #expect(parser.parse(), "\(String(describing: parser.parserError))")
    for words in ["a <b> & \"c\"", "samples", "share", "one", "two", "seeds: 1, 2"] {
      #expect(counter.text.contains(words))
    }
    // A frame, a band and two lines; a single value is a dot.
    #expect(counter.elements["path"] == 4 && counter.elements["circle"] == 1)
    #expect(counter.elements["image"] == nil)
  }

  @Test func `ticks stand on their line`() throws {
    func lines(_ ticks: [Double]) throws -> [[String: String]] {
      var chart = Self.chart
      chart.curves[0].ticks = ticks
      let counter = ElementCounter()
      let parser = XMLParser(data: Data(try SVGPicture.text(of: chart).utf8))
      parser.delegate = counter
      #expect(parser.parse(), "\(String(describing: parser.parserError))")
      return counter.lines
    }
    let without = try lines([])
    let ticks = try lines([-1, 15, 20]).filter { !without.contains($0) }
    // Before the line begins, there is nothing to stand on.
    #expect(ticks.count == 2)
    // From 10 to 20 the value is 0.5, at 20 it is 1: the middle and the top of the plot, 300 high below 36.
    #expect(ticks.map { $0["y1"] } == ["181.0", "31.0"] && ticks.map { $0["y2"] } == ["191.0", "41.0"], "\(ticks)")
  }

  @Test func `a chart without values is refused`() {
    #expect(throws: UserError.self) {
      try SVGPicture.text(of: ChartData(title: "", xLabel: "", yLabel: "", curves: []))
    }
  }
}
