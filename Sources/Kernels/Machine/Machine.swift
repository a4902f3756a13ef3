// What this CPU can do.
import CDNNL
import CLanes
import Glibc

package enum Machine {
  /// Whether products with bf16 operands run in hardware here.
  package static let hasBF16: Bool = cpuFlags.contains("avx512_bf16") || cpuFlags.contains("amx_bf16")

  /// What the kernels were compiled for: `native avx512_bf16`.
  package static var build: String { "\(String(cString: lanes_build())) \(String(cString: lanes_instructions()))" }

  /// Release of oneDNN and the instructions that it computes with here: `2.6.3 avx512_core_amx`.
  package static var products: String {
    guard let version = dnnl_version()?.pointee else { return "unknown" }
    return "\(version.major).\(version.minor).\(version.patch) \(String(cString: dnnlx_instructions()))"
  }

  /// What this build of the kernels needs and this CPU does not have, in words; nil where it can compute.
  package static var missing: String? {
    let missing = lanes_missing()
    if missing == 0 { return nil }
    if missing & 1 != 0 { return "foretop computes with AVX2 and FMA, and this CPU does not have both" }
    let part = missing & 2 != 0 ? "AVX-512" : "bf16 instructions (AVX512_BF16)"
    return "the kernels were built for a CPU with \(part), and this one has none: build on this machine, or with"
      + " FORETOP_CPU=x86-64-v3 for every CPU with AVX2"
  }

  /// The CPU's feature names as the kernel lists them.
  private static let cpuFlags: Set<Substring> = {
    guard let text = contents(of: "/proc/cpuinfo") else { return [] }
    for line in text.split(separator: "\n") where line.hasPrefix("flags") {
      return Set(line.split(separator: " "))
    }
    return []
  }()

  /// The most memory that this process has had at a time, bytes.
  package static var peakResident: Int? {
    let line = contents(of: "/proc/self/status")?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return line?.split { " \t".contains($0) }.dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
  }

  private static func contents(of path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = fread(&buffer, 1, buffer.count, file)
      if count == 0 { break }
      bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
