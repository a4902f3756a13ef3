// Settings of glibc's allocator for a process that runs for days.
import Glibc

/// Glibc's; its header is not among those that Swift sees.
@_silgen_name("mallopt")
private func setMallocOption(_ option: CInt, _ value: CInt) -> CInt

enum Allocator {
  /// Options of `mallopt`.
  private static let trimThreshold: CInt = -1
  private static let mmapThreshold: CInt = -3
  private static let arenaMax: CInt = -8

  /// Makes large blocks go back to the kernel when they are freed. Glibc would raise the threshold for that with every large
  /// block that is freed, up to 32 MiB. Then lists of rows, and pieces of copied files, leave holes in the heap, and a process
  /// that uses 45 MB holds twice as much after a million steps.
  static func returnLargeBlocks() {
    _ = setMallocOption(mmapThreshold, 1 << 20)
    _ = setMallocOption(trimThreshold, 1 << 20)
  }

  /// Gives all threads one heap. Each thread's own takes 64 MiB of address space, which is all there is where that is limited.
  static func useOneHeap() { _ = setMallocOption(arenaMax, 1) }
}
