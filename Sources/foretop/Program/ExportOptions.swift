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
      "Writes the chart as a picture, FILE.svg, or its numbers, FILE.csv; can be repeated.", valueName: "file"))
  var files: [String] = []

  var isAsked: Bool { !files.isEmpty }

  func validate() throws {
    for file in files { _ = try Self.kind(of: file) }
  }

  private enum PictureKind { case svg, csv }

  private static func kind(of file: String) throws -> PictureKind {
    switch URL(filePath: file).pathExtension.lowercased() {
    case "svg": return .svg
    case "csv": return .csv
    case "png", "pdf":
      throw ValidationError(
        "--export \(file): foretop writes .svg and .csv; “rsvg-convert -o \(file) FILE.svg” or “inkscape FILE.svg -o \(file)” converts a "
          + "picture")
    default: throw ValidationError("--export \(file): the name must end in .svg or .csv")
    }
  }

  /// Writes the files, each as a whole or not at all.
  /// - Parameters:
  ///   - chart: nil where there are no values yet.
  ///   - csv: the numbers; nil takes those of the chart.
  /// - Throws: `UserError` where there is nothing to write, or the disk does not take it.
  func write(_ chart: ChartData?, csv: String? = nil) throws {
    for file in files {
      guard let numbers = csv ?? chart?.csv else {
        throw UserError(.data, "there are no values yet to export to \(file)")
      }
      let text: String
      switch try Self.kind(of: file) {
      case .csv: text = numbers
      case .svg:
        guard let chart else { throw UserError(.data, "there are no values yet to draw in \(file)") }
        text = try SVGPicture.text(of: chart)
      }
      try AtomicFile.writePieces(file, isReplacing: true) { take in try Array(text.utf8).withUnsafeBytes(take) }
      Output.warn("\(file) is written")
    }
  }
}
