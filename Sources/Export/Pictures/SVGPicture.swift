// Charts as SVG for papers. Text stays text, lines differ in colour and pattern, and the file refers to no other file.
import Run
import TerminalUI

/// An SVG picture of a chart.
package struct SVGPicture {
  private let chart: ChartData
  private let x: Scale
  private let y: Scale
  private var body = ""

  private static let width = 640.0
  private static let left = 72.0
  private static let right = 16.0
  private static let top = 36.0
  private static let plotHeight = 300.0
  private static let line = 16.0

  /// Okabe and Ito's colours (2008), which are distinct under every kind of colour blindness, and a dash for each.
  private static let pens: [(colour: String, dash: String)] = [
    ("#0072b2", ""), ("#d55e00", "7 3"), ("#009e73", "2 2"), ("#cc79a7", "9 3 2 3"), ("#e69f00", "5 2 1 2"),
    ("#56b4e9", "12 3"), ("#000000", "1 3"), ("#8c6d31", "4 4"),
  ]

  /// The picture as SVG 1.1.
  /// - Throws: `UserError` for a chart without any value.
  package static func text(of chart: ChartData) throws(UserError) -> String {
    guard let xs = chart.xRange, let ys = chart.yRange else {
      throw UserError(.data, "there are no values yet to make a picture of")
    }
    var picture = SVGPicture(chart, xs, ys)
    return picture.drawn()
  }

  private init(_ chart: ChartData, _ xs: (low: Double, high: Double), _ ys: (low: Double, high: Double)) {
    self.chart = chart
    x = Scale(from: xs.low, to: xs.high, isLogarithmic: chart.isXLogarithmic)
    y = Scale(from: ys.low, to: ys.high)
  }

  private var plotWidth: Double { Self.width - Self.left - Self.right }
  private var bottom: Double { Self.top + Self.plotHeight }

  private func column(_ value: Double) -> Double { Self.left + min(max(x.position(of: value), 0), 1) * plotWidth }
  private func row(_ value: Double) -> Double { bottom - min(max(y.position(of: value), 0), 1) * Self.plotHeight }

  private mutating func drawn() -> String {
    drawAxes()
    for index in chart.curves.indices { drawBand(index) }
    for index in chart.curves.indices { drawCurve(index) }
    let end = drawLegend()
    let height = Figure.fixed(end + 10, 0)
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      <svg xmlns="http://www.w3.org/2000/svg" width="\(Int(Self.width))" height="\(height)" viewBox="0 0 \(Int(Self.width)) \(height)" \
      font-family="Helvetica, Arial, sans-serif" font-size="12">
      <title>\(Self.escaped(chart.title))</title>
      <rect width="100%" height="100%" fill="#ffffff"/>
      \(body)</svg>

      """
  }

  private mutating func put(_ element: String) { body += element + "\n" }

  private mutating func text(_ words: String, _ x: Double, _ y: Double, _ attributes: String = "") {
    let more = attributes.isEmpty ? "" : " " + attributes
    put("<text x=\"\(Self.number(x))\" y=\"\(Self.number(y))\"\(more)>\(Self.escaped(words))</text>")
  }

  private mutating func drawAxes() {
    text(chart.title, Self.left, 20, "font-size=\"13\" font-weight=\"bold\"")
    let (xTicks, yTicks) = (x.ticks(atMost: 7), y.ticks(atMost: 7))
    for (tick, label) in zip(yTicks, Figure.labels(yTicks)) {
      let place = Self.number(row(tick))
      put(
        "<line x1=\"\(Self.number(Self.left))\" y1=\"\(place)\" x2=\"\(Self.number(Self.left + plotWidth))\" y2=\"\(place)\" stroke=\"#e4e4e4\"/>"
      )
      text(label, Self.left - 6, row(tick) + 4, "text-anchor=\"end\"")
    }
    for (tick, label) in zip(xTicks, Figure.labels(xTicks)) {
      let place = Self.number(column(tick))
      put(
        "<line x1=\"\(place)\" y1=\"\(Self.number(bottom))\" x2=\"\(place)\" y2=\"\(Self.number(bottom + 4))\" stroke=\"#000000\"/>"
      )
      text(label, column(tick), bottom + 18, "text-anchor=\"middle\"")
    }
    put(
      "<path d=\"M\(Self.number(Self.left)) \(Self.number(Self.top))V\(Self.number(bottom))H\(Self.number(Self.left + plotWidth))\" fill=\"none\" stroke=\"#000000\"/>"
    )
    text(chart.xLabel, Self.left + plotWidth / 2, bottom + 36, "text-anchor=\"middle\"")
    let middle = Self.top + Self.plotHeight / 2
    text(
      chart.yLabel, 16, middle, "text-anchor=\"middle\" transform=\"rotate(-90 16 \(Self.number(middle)))\"")
  }

  /// The points of a curve in the picture, with the corners of a step function.
  private func points(_ curve: ChartData.DataCurve, _ values: [Double]) -> [(Double, Double)] {
    var points: [(Double, Double)] = []
    for (place, value) in zip(curve.xs, values) where place.isFinite && value.isFinite {
      if curve.isStepped, let last = points.last { points.append((column(place), last.1)) }
      points.append((column(place), row(value)))
    }
    return points
  }

  private static func path(_ points: [(Double, Double)]) -> String {
    points.enumerated().map { "\($0 == 0 ? "M" : "L")\(number($1.0)) \(number($1.1))" }.joined()
  }

  private mutating func drawBand(_ index: Int) {
    let curve = chart.curves[index]
    guard !curve.lower.isEmpty else { return }
    let outline = points(curve, curve.upper) + points(curve, curve.lower).reversed()
    guard !outline.isEmpty else { return }
    put(
      "<path d=\"\(Self.path(outline))Z\" fill=\"\(Self.pens[index % Self.pens.count].colour)\" fill-opacity=\"0.13\"/>"
    )
  }

  private mutating func drawCurve(_ index: Int) {
    let points = points(chart.curves[index], chart.curves[index].ys)
    guard !points.isEmpty else { return }
    put("<path d=\"\(Self.path(points))\" fill=\"none\" \(Self.stroke(index))/>")
    drawTicks(index)
    if points.count == 1 {
      put(
        "<circle cx=\"\(Self.number(points[0].0))\" cy=\"\(Self.number(points[0].1))\" r=\"3\" fill=\"\(Self.pens[index % Self.pens.count].colour)\"/>"
      )
    }
  }

  private mutating func drawTicks(_ index: Int) {
    let curve = chart.curves[index]
    for tick in curve.ticks {
      guard let point = curve.xs.lastIndex(where: { $0 <= tick }) else { continue }
      let (x, y) = (Self.number(column(tick)), row(curve.ys[point]))
      put(
        "<line x1=\"\(x)\" y1=\"\(Self.number(y - 5))\" x2=\"\(x)\" y2=\"\(Self.number(y + 5))\" stroke=\"\(Self.pens[index % Self.pens.count].colour)\"/>"
      )
    }
  }

  private static func stroke(_ index: Int) -> String {
    let pen = pens[index % pens.count]
    return "stroke=\"\(pen.colour)\" stroke-width=\"1.8\""
      + (pen.dash.isEmpty ? "" : " stroke-dasharray=\"\(pen.dash)\"")
  }

  /// Draws the curves' names below the plot, two per line, then the notes.
  /// - Returns: the y of their end.
  private mutating func drawLegend() -> Double {
    var place = bottom + 58
    for index in chart.curves.indices {
      let start = index % 2 == 0 ? Self.left : Self.left + plotWidth / 2
      if index > 0, index % 2 == 0 { place += Self.line }
      let height = Self.number(place - 4)
      put(
        "<line x1=\"\(Self.number(start))\" y1=\"\(height)\" x2=\"\(Self.number(start + 26))\" y2=\"\(height)\" \(Self.stroke(index))/>"
      )
      text(chart.curves[index].name, start + 32, place)
    }
    for note in chart.notes {
      for line in note.wrapped(to: 100) {
        place += Self.line
        text(line, Self.left, place, "fill=\"#555555\" font-size=\"11\"")
      }
    }
    return place
  }

  private static func number(_ value: Double) -> String { Figure.fixed(value, 1) }

  /// Escapes any text for XML: special characters become entities, and control characters, which XML lacks, are replaced.
  private static func escaped(_ text: String) -> String {
    text.harmlessLine.reduce(into: "") { result, character in
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
  }
}
