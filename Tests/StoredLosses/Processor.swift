// A kind of CPU: all that the bits of a loss depend on, beside recipe and threads.
import Foundation
import Kernels

struct Processor: Equatable {
  /// Names and values, in the order of a table's header.
  let parts: [CPUField]

  struct CPUField: Equatable {
    let name: String
    let value: String
  }

  static var present: Processor {
    Processor(parts: Machine.parts.map { CPUField(name: $0.name, value: $0.value) })
  }

  /// What a table's header says.
  init?(header lines: [Substring]) {
    parts = lines.compactMap { line in
      guard let colon = line.firstIndex(of: ":") else { return nil }
      return CPUField(
        name: String(line[..<colon]),
        value: line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces))
    }
    if parts.isEmpty { return nil }
  }

  private init(parts: [CPUField]) { self.parts = parts }

  private func value(_ name: String) -> String { parts.first { $0.name == name }?.value ?? "unknown" }

  var words: String {
    "\(value("vendor")) family \(value("family")) model \(value("model")), kernels \(value("kernels")),"
      + " oneDNN \(value("oneDNN"))"
  }

  /// A file's name.
  var slug: String {
    let text = ["vendor", "family", "model", "kernels", "oneDNN"].map(value).joined(separator: "-")
    return String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ".") ? $0 : "-" })
  }
}
