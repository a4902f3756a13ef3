// What this CPU can do.
import CDNNL
import CLanes
import Glibc

package enum Machine {
  /// Whether products with bf16 operands run in hardware here.
  package static let hasBF16: Bool = cpuFlags.contains("avx512_bf16") || cpuFlags.contains("amx_bf16")

  /// The instruction set that the kernels were compiled for: `native avx512_bf16`.
  package static var build: String { "\(String(cString: lanes_build())) \(String(cString: lanes_instructions()))" }

  /// Release of oneDNN and the instructions that it computes with here: `2.6.3 avx512_core_amx`.
  package static var products: String {
    guard let version = dnnl_version()?.pointee else { return "unknown" }
    return "\(version.major).\(version.minor).\(version.patch) \(String(cString: dnnlx_instructions()))"
  }

  /// The instructions that this build of the kernels needs and this CPU lacks, in words; nil if none is missing.
  package static var missing: String? {
    let missing = lanes_missing()
    if missing == 0 { return nil }
    if missing & 1 != 0 { return "foretop computes with AVX2 and FMA, and this CPU does not have both" }
    let part = missing & 2 != 0 ? "AVX-512" : "bf16 instructions (AVX512_BF16)"
    return "the kernels were built for a CPU with \(part), which this CPU lacks: build on this machine, or with"
      + " FORETOP_CPU=x86-64-v3 for every CPU with AVX2"
  }

  /// The CPU's feature names as the kernel lists them.
  private static let cpuFlags: Set<Substring> = {
    guard let file = fopen("/proc/cpuinfo", "r") else { return [] }
    defer { fclose(file) }
    var line: UnsafeMutablePointer<CChar>?
    defer { free(line) }
    var capacity = 0
    while getline(&line, &capacity, file) > 0 {
      guard let text = line.map({ String(cString: $0) }), text.hasPrefix("flags") else { continue }
      return Set(text.split { $0 == " " || $0 == "\n" })
    }
    return []
  }()
}
