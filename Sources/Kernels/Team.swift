// The thread team: libgomp's own, which oneDNN's products run on too, so that two cores never serve two pools.
import COpenMP

/// Runs bodies on several threads at once.
package enum Team {
  /// Makes `threads` the size of the team for products from now on, on the calling thread.
  package static func resize(to threads: Int) {
    omp_set_dynamic(0)
    omp_set_num_threads(Int32(threads))
  }

  /// Calls `body(worker)` for worker 0 ..< threads, each on its own thread, and waits for all.
  @inline(__always)
  package static func run(_ threads: Int, _ body: (_ worker: Int) -> Void) {
    if threads == 1 { return body(0) }
    withoutActuallyEscaping(body) { body in
      withUnsafePointer(to: body) { pointer in
        GOMP_parallel(
          { data in data!.assumingMemoryBound(to: ((Int) -> Void).self).pointee(Int(omp_get_thread_num())) },
          UnsafeMutableRawPointer(mutating: pointer), UInt32(threads), 0)
      }
    }
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
