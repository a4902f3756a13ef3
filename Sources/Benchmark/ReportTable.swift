// Measurements as values: a table makes the lines on a terminal, the JSON and the tables in docs/.
import Foundation
import Run

/// A table of measurements.
package struct ReportTable: Sendable {
  package struct ReportColumn: Sendable {
    /// The column's key in JSON.
    var key: String
    /// The column's heading, with the unit.
    var heading: String
    /// Decimal places.
    var digits = 0

    /// A column with its key in JSON, its heading and its decimal places.
    static func column(_ key: String, _ heading: String, _ digits: Int = 0) -> ReportColumn {
      ReportColumn(key: key, heading: heading, digits: digits)
    }
  }

  package enum ReportValue: Sendable, Equatable {
    case text(String)
    case number(Double)
    /// An empty cell.
    case none
  }

  /// The table's name, one word, which is also its key in JSON.
  package let name: String
  /// Lines above the table on the subject and the method of the measurement.
  package var about: [String]
  package let columns: [ReportColumn]
  package var rows: [[ReportValue]] = []

  mutating func add(_ values: ReportValue...) { add(values) }

  mutating func add(_ values: [ReportValue]) {
    precondition(values.count == columns.count, "a row of “\(name)” has \(columns.count) values")
    rows.append(values)
  }

  /// Headings and rows as text; numbers with spaces between thousands.
  package var cells: [[String]] {
    [columns.map(\.heading)] + rows.map { row in zip(columns, row).map { $0.cell($1) } }
  }

  /// The indices of the columns with numbers.
  package var numbers: Set<Int> {
    Set(columns.indices.filter { column in rows.contains { if case .number = $0[column] { true } else { false } } })
  }

  /// The table as JSON: an array with an object per row.
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
    case .number(let number): return Figure.grouped(number, digits)
    }
  }
}
