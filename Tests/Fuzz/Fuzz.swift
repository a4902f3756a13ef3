// Feeds readers bytes that nobody meant to write, guided by which of their branches are reached (libFuzzer): `make fuzz`.
// Without libFuzzer it reads the files that it is given, once each: to see a finding again.
import Foundation
import FuzzTargets

@main
struct Fuzz {
  /// Of the fuzzing library, where it is linked.
  private typealias Driver =
    @convention(c) (
      UnsafeMutablePointer<CInt>, UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
      @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
    ) -> CInt

  // libFuzzer's function has no place for it. Set once, before anything is read.
  nonisolated(unsafe) private static var chosen: FuzzTarget?

  static func main() throws {
    let names = FuzzTarget.all.map(\.name)
    guard let target = FuzzTarget.all.first(where: { $0.name == CommandLine.arguments.dropFirst().first }) else {
      print("usage: Fuzz TARGET [FILE or libFuzzer's options …]; targets are \(names.joined(separator: " "))")
      exit(64)
    }
    chosen = target
    guard let program = dlopen(nil, RTLD_NOW), let driver = dlsym(program, "LLVMFuzzerRunDriver") else {
      for path in CommandLine.arguments.dropFirst(2) {
        print(path)
        target.read(Array(try Data(contentsOf: URL(filePath: path))))
      }
      return
    }
    // libFuzzer's arguments are ours without the target; it starts no process that would need it.
    let words = CommandLine.arguments.prefix(1) + CommandLine.arguments.dropFirst(2)
    var arguments = words.map { strdup($0) } + [nil]
    var count = CInt(words.count)
    let status = arguments.withUnsafeMutableBufferPointer { buffer in
      var start = buffer.baseAddress!
      return unsafeBitCast(driver, to: Driver.self)(&count, &start) { bytes, count in
        Fuzz.chosen?.read(Array(UnsafeBufferPointer(start: bytes, count: count)))
        return 0
      }
    }
    exit(status)
  }
}
