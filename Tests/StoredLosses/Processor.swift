// A kind of CPU: all that the bits of a loss depend on, beside recipe and threads.
import Foundation
import Kernels

struct Processor: Equatable {
  /// Names and values, in the order of a table's header.
  let parts: [Part]

  struct Part: Equatable {
    let name: String
    let value: String
  }

  static var present: Processor {
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    func line(_ name: String) -> String {
      let line = text.split(separator: "\n").first { $0.prefix { $0 != ":" && $0 != "\t" } == name }
      return line.map { $0.drop { $0 != ":" }.dropFirst().trimmingCharacters(in: .whitespaces) } ?? "unknown"
    }
    let flags = line("flags").split(separator: " ")
    // What chooses between ways of computing, here or in oneDNN.
    let chosen = flags.filter {
      ["avx2", "fma", "avx_vnni", "amx_bf16", "amx_tile"].contains($0) || $0.hasPrefix("avx512")
    }
    return Processor(parts: [
      Part(name: "vendor", value: line("vendor_id")),
      Part(name: "family", value: line("cpu family")),
      Part(name: "model", value: line("model")),
      Part(name: "instructions", value: chosen.joined(separator: " ")),
      // oneDNN makes its blocks as large as what they are to stay in.
      Part(name: "caches", value: caches),
      Part(name: "kernels", value: Machine.build),
      Part(name: "oneDNN", value: Machine.products),
    ])
  }

  /// Sizes of the first core's caches of data, from the nearest to the last but one: the last is shared, in parts that
  /// change with the machine.
  private static var caches: String {
    let sizes: [String] = (0..<8).compactMap { index in
      func part(_ name: String) -> String? {
        let path = "/sys/devices/system/cpu/cpu0/cache/index\(index)/\(name)"
        return (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
      }
      guard let type = part("type"), type != "Instruction", let level = part("level"), level != "3" else { return nil }
      return part("size")
    }
    return sizes.isEmpty ? "unknown" : sizes.joined(separator: " ")
  }

  /// What a table's header says.
  init?(header lines: [Substring]) {
    parts = lines.compactMap { line in
      guard let colon = line.firstIndex(of: ":") else { return nil }
      return Part(
        name: String(line[..<colon]),
        value: line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces))
    }
    if parts.isEmpty { return nil }
  }

  private init(parts: [Part]) { self.parts = parts }

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
