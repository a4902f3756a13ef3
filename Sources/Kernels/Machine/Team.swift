// The thread team: libgomp's own, which oneDNN's products run on too, so that two cores never serve two pools.
import COpenMP

/// Written in C, with Swift's calling convention: the body stays where it is, on the caller's stack. Handing it to
/// `GOMP_parallel` from here would make a copy of it on the heap each time.
@_silgen_name("foretop_run_team")
private func runTeam(_ threads: Int, _ body: (_ worker: Int) -> Void)

/// Runs bodies on several threads at once.
package enum Team {
  /// Makes `threads` the size of the team for products from now on, on the calling thread.
  package static func resize(to threads: Int) {
    omp_set_dynamic(0)
    omp_set_num_threads(Int32(threads))
  }

  /// Makes the calling thread take numbers below 2⁻¹²⁶ for zero from now on, as the team's other threads do. A CPU computes with these a
  /// hundred times slower, and networks whose training went wrong are full of them.
  package static func flushSubnormals() { foretop_flush_subnormals() }

  /// Makes the calling thread compute with all numbers again.
  package static func keepSubnormals() { foretop_keep_subnormals() }

  /// Calls `body(worker)` for worker 0 ..< threads, each on its own thread, and waits for all.
  @inline(__always)
  package static func run(_ threads: Int, _ body: (_ worker: Int) -> Void) {
    if threads == 1 { body(0) } else { runTeam(threads, body) }
  }

  /// Splits 0 ..< count into `threads` ranges whose bounds are multiples of `grain`, and calls `body` with each. The
  /// split depends on nothing but the arguments: the same threads add up the same numbers, run after run.
  package static func split(
    _ count: Int, threads: Int, grain: Int = 1, _ body: (_ worker: Int, _ range: Range<Int>) -> Void
  ) {
    run(threads) { worker in
      let range = share(of: count, worker: worker, threads: threads, grain: grain)
      if !range.isEmpty { body(worker, range) }
    }
  }

  /// The part of 0 ..< count that `worker` does.
  package static func share(of count: Int, worker: Int, threads: Int, grain: Int = 1) -> Range<Int> {
    let grains = (count + grain - 1) / grain
    let first = grains * worker / threads * grain
    let last = grains * (worker + 1) / threads * grain
    return min(first, count)..<min(last, count)
  }
}
