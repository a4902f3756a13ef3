// foretop runs: what there is.
import ArgumentParser
import Foundation
import Run
import RunFile
import TerminalUI

struct Runs: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Lists the runs.")

  @OptionGroup var place: PlaceOptions

  @Flag(help: "Prints a JSON object a run and line.")
  var json = false

  func run() throws {
    let runs = try Archive.runs(in: place.runs).sorted { ($0.changed ?? 0) > ($1.changed ?? 0) }
    if json {
      for run in runs { print(run.json.line) }
      return
    }
    guard !runs.isEmpty else {
      print("there are no runs in \(place.runs) yet: “foretop train” begins one")
      return
    }
    let now = Date().timeIntervalSince1970
    let header = [
      "NAME", "STATE", "STEP", "TOKENS", "PARAMETERS", "LOSS", "HELD-OUT", "BEST", "SAVED", "SIZE", "CHANGED",
    ]
    print(Self.table([header] + runs.map { $0.cells(now: now) }, right: [2, 3, 4, 8, 9]))
    for run in runs {
      if let error = run.error { print("\(run.name): \(error)") }
    }
  }

  /// Columns as wide as their widest cell; those in `right` are aligned to the right.
  private static func table(_ rows: [[String]], right: Set<Int>) -> String {
    let widths = rows[0].indices.map { column in rows.map { $0[column].width }.max() ?? 0 }
    return rows.map { row in
      let cells = row.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.width)
        return right.contains(column) ? space + cell : cell + space
      }
      return String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
    }.joined(separator: "\n")
  }
}

extension RunSummary {
  fileprivate func cells(now: Double) -> [String] {
    guard error == nil else {
      return [name, state?.rawValue ?? "unreadable"] + Array(repeating: "", count: 9)
    }
    return [
      name, state?.rawValue ?? "", "\(Figure.grouped(step))/\(Figure.grouped(steps))", Figure.short(Double(tokens)),
      Figure.short(Double(parameters)), Self.words(last), Self.words(heldOut),
      best.map { Figure.loss(Double($0)) } ?? "", "\(checkpoints)", Figure.bytes(Double(bytes)),
      changed.map { Figure.duration(max(now - $0, 0)) + " ago" } ?? "",
    ]
  }

  private static func words(_ losses: [HeadLoss]) -> String {
    losses.map { "\($0.head.name) \(Figure.loss(Double($0.loss)))" }.joined(separator: " ")
  }

  fileprivate var json: JSON {
    var members = [JSON.Member("name", .text(name)), JSON.Member("state", .text(state?.rawValue ?? "unreadable"))]
    if let error { return .object(members + [JSON.Member("error", .text(error))]) }
    members += [
      JSON.Member("step", .integer(step)), JSON.Member("steps", .integer(steps)),
      JSON.Member("tokens", .integer(tokens)),
      JSON.Member("parameters", .integer(parameters)), JSON.Member("heads", .array(heads.map { .text($0.name) })),
    ]
    members += last.json
    members.append(JSON.Member("heldout", .object(heldOut.json)))
    if let best { members.append(JSON.Member("best", .float(best))) }
    if let created { members.append(JSON.Member("created", .double(created))) }
    if let changed { members.append(JSON.Member("changed", .double(changed))) }
    members += [JSON.Member("bytes", .integer(bytes)), JSON.Member("checkpoints", .integer(checkpoints))]
    return .object(members)
  }
}
