// A kind of CPU: all that the bits of a loss depend on, beside recipe and threads.
import Foundation

extension Machine {
  /// Names and values that tell kinds of CPU apart: two machines with equal ones compute equal losses.
  package static let parts: [(name: String, value: String)] = {
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
    return [
      ("vendor", line("vendor_id")), ("family", line("cpu family")), ("model", line("model")),
      ("instructions", chosen.joined(separator: " ")),
      // oneDNN makes its blocks as large as what they are to stay in.
      ("caches", caches), ("kernels", build), ("oneDNN", products),
    ]
  }()

  /// The same in one line, without the list of instructions, which vendor, family and model imply.
  package static var kind: String {
    parts.filter { $0.name != "instructions" }.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
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
}
