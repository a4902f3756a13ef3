// --export: charts as files for papers.
import ArgumentParser
import Export
import Foundation
import Run
import RunFile

/// A picture or numbers as a file.
struct ExportOptions: ParsableArguments {
  @Option(
    name: .customLong("export"),
    help: ArgumentHelp(
      "Writes the chart as a picture, FILE.svg (.png and .pdf need rsvg-convert), or its numbers, FILE.csv; can be repeated.",
      valueName: "file"))
  var files: [String] = []

  var isAsked: Bool { !files.isEmpty }

  func validate() throws {
    for file in files { _ = try Self.kind(of: file) }
  }

  private enum PictureKind: String { case svg, csv, png, pdf }

  /// The program that makes pictures of other kinds from SVG.
  private static let converter = "rsvg-convert"
  private static let advice = "is not in PATH: install it (Debian's package is librsvg2-bin), or export to .svg"

  private static func kind(of file: String) throws -> PictureKind {
    guard let kind = PictureKind(rawValue: URL(filePath: file).pathExtension.lowercased()) else {
      throw ValidationError("--export \(file): the name must end in .svg, .png, .pdf or .csv")
    }
    // Before an experiment of hours.
    guard kind == .svg || kind == .csv || OtherProgram.isThere(converter) else {
      throw ValidationError("--export \(file): \(converter) \(advice)")
    }
    return kind
  }

  /// Writes the files, each as a whole or not at all.
  /// - Parameters:
  ///   - chart: nil where there are no values yet.
  ///   - csv: the numbers; nil takes those of the chart.
  /// - Throws: `UserError` where there is nothing to write, a picture cannot be converted, or the disk does not take it.
  func write(_ chart: ChartData?, csv: String? = nil) throws {
    for file in files {
      guard let numbers = csv ?? chart?.csv else {
        throw UserError(.data, "there are no values yet to export to \(file)")
      }
      let kind = try Self.kind(of: file)
      let bytes: [UInt8]
      if kind == .csv {
        bytes = Array(numbers.utf8)
      } else {
        guard let chart else { throw UserError(.data, "there are no values yet to draw in \(file)") }
        bytes = try Self.picture(SVGPicture.text(of: chart), as: kind)
      }
      try AtomicFile.writePieces(file, isReplacing: true) { take in try bytes.withUnsafeBytes(take) }
      Output.warn("\(file) is written")
    }
  }

  /// A picture's file. A picture of pixels has three for one of the SVG's: 1 920 a line, enough to be printed.
  private static func picture(_ svg: String, as kind: PictureKind) throws -> [UInt8] {
    guard kind != .svg else { return Array(svg.utf8) }
    return Array(
      try OtherProgram.output(
        of: converter, ["--format", kind.rawValue, "--zoom", kind == .png ? "3" : "1"], input: svg, advice: advice))
  }
}
