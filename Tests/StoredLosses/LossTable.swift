// A file of losses: a header that says of what kind the CPU was, then a line a case: its name, the bits of the total loss
// at each step, and those of the last gradient's norm.
import Foundation

/// How far losses may be from those of another kind of CPU, as a part of them. Where oneDNN alone does without AMX or AVX-512,
/// the farthest were 6e-7 away in fp32 and 2e-4 in bf16.
enum Tolerance {
  static let fp32: Float = 1e-5
  static let bf16: Float = 2e-3

  static func of(_ name: String) -> Float { isWide(name) ? bf16 : fp32 }
  static func isBF16(_ name: String) -> Bool { name.contains(" bf16 ") }

  /// Whether the tolerance is that of bf16. Where tokens are drawn, or rows of a memory layer's table picked, two may be so
  /// nearly alike that another CPU chooses the other one. How far losses are apart then was not measured.
  static func isWide(_ name: String) -> Bool {
    isBF16(name) || ["drawn", "memory"].contains { name.contains($0) }
  }

  static var words: String { "\(fp32) in fp32 and \(bf16) in bf16 or where something is chosen, as parts of a loss," }
}

struct LossTable {
  let processor: Processor
  let results: [Result]
  /// The same by the cases' names.
  let curves: [String: LossCurve]

  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Tables")

  static var stored: [LossTable] {
    let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
    return files.filter { $0.pathExtension == "txt" }.sorted { $0.path < $1.path }.compactMap {
      (try? String(contentsOf: $0, encoding: .utf8)).flatMap(LossTable.init(text:))
    }
  }

  init(processor: Processor, results: [Result]) {
    self.processor = processor
    self.results = results
    curves = Dictionary(results.map { ($0.name, $0.curve) }, uniquingKeysWith: { first, _ in first })
  }

  /// nil where the text is no table.
  init?(text: String) {
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
    guard let processor = Processor(header: lines.filter { $0.contains(":") }) else { return nil }
    let results: [Result] = lines.filter { $0.contains("=") }.compactMap { line in
      let parts = line.split(separator: "=")
      let numbers = parts[1].split(separator: " ").compactMap { UInt32($0, radix: 16).map(Float.init(bitPattern:)) }
      guard parts.count == 2, let norm = numbers.last else { return nil }
      let name = parts[0].trimmingCharacters(in: .whitespaces)
      return Result(name: name, curve: LossCurve(losses: numbers.dropLast(), norm: norm))
    }
    self.init(processor: processor, results: results)
  }

  func write() throws -> String {
    let header = """
      # Total losses of 20 steps and the norm of the last gradient, bits of fp32; a case's name ends with its threads.
      # Made by StoredLosses, which says how to make it anew.

      """
    let parts = processor.parts.map { "\($0.name): \($0.value)\n" }.joined()
    let lines = results.map { result in
      "\(result.name) = "
        + (result.curve.losses + [result.curve.norm]).map {
          let digits = String($0.bitPattern, radix: 16)
          return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined(separator: " ") + "\n"
    }.joined()
    let file = Self.folder.appending(path: processor.slug + ".txt")
    try (header + parts + lines).write(to: file, atomically: true, encoding: .utf8)
    return file.lastPathComponent
  }

  /// How many cases another making changes, adds and leaves out.
  func changes(to present: [Result]) -> String {
    let kept = present.filter { curves[$0.name] != nil }
    let changed = kept.count { curves[$0.name] != $0.curve }
    return "\(changed) of \(results.count) changed, \(present.count - kept.count) added, "
      + "\(results.count - kept.count) left out"
  }
}
