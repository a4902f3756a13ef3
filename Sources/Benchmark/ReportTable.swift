// What was measured, as values: one table makes the lines on a terminal, the JSON and the README.
import Foundation
import Run

/// Measurements of one kind, a row each.
package struct ReportTable: Sendable {
  package struct ReportColumn: Sendable {
    /// Its key in JSON.
    var key: String
    /// Its heading, with the unit.
    var heading: String
    /// Digits after the point.
    var digits = 0

    /// A column by its key in JSON and its heading.
    static func column(_ key: String, _ heading: String, _ digits: Int = 0) -> ReportColumn {
      ReportColumn(key: key, heading: heading, digits: digits)
    }
  }

  package enum ReportValue: Sendable, Equatable {
    case text(String)
    case number(Double)
    /// Nothing to say in this column.
    case none
  }

  /// One word, its key in JSON.
  package let name: String
  /// What was measured, and how: lines above the table.
  package var about: [String]
  package let columns: [ReportColumn]
  package var rows: [[ReportValue]] = []

  mutating func add(_ values: ReportValue...) {
    precondition(values.count == columns.count, "a row of “\(name)” has \(columns.count) values")
    rows.append(values)
  }

  /// Headings and rows as cells; numbers with spaces between thousands.
  package var cells: [[String]] {
    [columns.map(\.heading)] + rows.map { row in zip(columns, row).map { $0.cell($1) } }
  }

  /// The columns that hold numbers.
  package var numbers: Set<Int> {
    Set(columns.indices.filter { column in rows.contains { if case .number = $0[column] { true } else { false } } })
  }

  /// An array of objects.
  package var json: JSON {
    .array(
      rows.map { row in
        .object(
          zip(columns, row).compactMap { column, value in
            switch value {
            case .text(let text): JSON.Member(column.key, .text(text))
            case .number(let number): JSON.Member(column.key, .double(number))
            case .none: nil
            }
          })
      })
  }
}

extension ReportTable.ReportColumn {
  fileprivate func cell(_ value: ReportTable.ReportValue) -> String {
    switch value {
    case .text(let text): return text
    case .none: return ""
    case .number(let number):
      let text = String(format: "%.\(digits)f", number)
      let whole = text.prefix { $0 != "." && $0 != "-" }
      guard whole.count > 4 else { return text }
      var grouped = ""
      for (index, digit) in whole.enumerated() {
        if index > 0, (whole.count - index) % 3 == 0 { grouped += " " }
        grouped.append(digit)
      }
      return grouped + text.dropFirst(whole.count)
    }
  }
}
