// A file of losses: a header that says of what kind the CPU was, then a line a case: its name, the bits of the total loss
// at each step, and those of the last gradient's norm.
import Foundation

/// How far losses may be from those of another kind of CPU, as a part of them. Where oneDNN alone does without AMX or AVX-512,
/// the farthest were 6e-7 away in fp32 and 2e-4 in bf16.
enum Tolerance {
  static let fp32: Float = 1e-5
  static let bf16: Float = 2e-3

  static func of(_ name: String) -> Float { isBF16(name) ? bf16 : fp32 }
  static func isBF16(_ name: String) -> Bool { name.contains(" bf16 ") }
  static var words: String { "\(fp32) in fp32 and \(bf16) in bf16, as parts of a loss," }
}

struct LossTable {
  let processor: Processor
  let results: [Result]

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
  }

  /// nil where the text is no table.
  init?(text: String) {
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
    guard let processor = Processor(header: lines.filter { $0.contains(":") }) else { return nil }
    self.processor = processor
    results = lines.filter { $0.contains("=") }.compactMap { line in
      let parts = line.split(separator: "=")
      let numbers = parts[1].split(separator: " ").compactMap { UInt32($0, radix: 16).map(Float.init(bitPattern:)) }
      guard parts.count == 2, let norm = numbers.last else { return nil }
      let name = parts[0].trimmingCharacters(in: .whitespaces)
      return Result(name: name, curve: LossCurve(losses: numbers.dropLast(), norm: norm))
    }
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

  /// Whether each of these cases is stored.
  func covers(_ present: [Result]) -> Bool { Set(results.map(\.name)).isSuperset(of: present.map(\.name)) }

  /// A sentence for each case that is not as it is stored.
  func differences(from present: [Result], toTheBit: Bool) -> [String] {
    let stored = Dictionary(results.map { ($0.name, $0.curve) }, uniquingKeysWith: { first, _ in first })
    let names = Set(present.map(\.name))
    // A CPU without bf16 has no such cases.
    let hasBF16 = present.contains { Tolerance.isBF16($0.name) }
    let missing = results.filter { !names.contains($0.name) && (hasBF16 || !Tolerance.isBF16($0.name)) }
    return missing.map { "\($0.name): stored, and not run" }
      + present.compactMap { result in
        guard let curve = stored[result.name] else { return "\(result.name): run, and not stored" }
        return toTheBit ? inequality(result, curve) : distance(result, curve)
      }
  }

  /// How many cases another making changes.
  func changes(to present: [Result]) -> String {
    "\(differences(from: present, toTheBit: true).count) of \(results.count) changed"
  }

  /// The largest distance of a loss from the stored one, as a part of it, in fp32 and in bf16.
  func farthest(from present: [Result]) -> (fp32: Float, bf16: Float) {
    let stored = Dictionary(results.map { ($0.name, $0.curve) }, uniquingKeysWith: { first, _ in first })
    func farthest(bf16: Bool) -> Float {
      present.filter { Tolerance.isBF16($0.name) == bf16 }.flatMap { result in
        zip(result.curve.losses, stored[result.name]?.losses ?? []).map { abs($0 / $1 - 1) }
      }.max() ?? 0
    }
    return (farthest(bf16: false), farthest(bf16: true))
  }

  private func inequality(_ result: Result, _ stored: LossCurve) -> String? {
    if result.curve == stored { return nil }
    for (step, (new, old)) in zip(result.curve.losses, stored.losses).enumerated() where new != old {
      return "\(result.name): step \(step + 1) loses \(new), and \(old) is stored"
    }
    return "\(result.name): the last gradient's norm is \(result.curve.norm), and \(stored.norm) is stored"
  }

  private func distance(_ result: Result, _ stored: LossCurve) -> String? {
    let tolerance = Tolerance.of(result.name)
    for (step, (new, old)) in zip(result.curve.losses, stored.losses).enumerated()
    where !(abs(new - old) <= tolerance * abs(old)) {
      return "\(result.name): step \(step + 1) loses \(new), and \(old) is stored, \(abs(new / old - 1)) away"
    }
    return result.curve.losses.count == stored.losses.count ? nil : "\(result.name): another number of steps is stored"
  }
}
