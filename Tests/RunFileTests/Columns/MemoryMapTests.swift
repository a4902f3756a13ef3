// Memory layers in run.h5: columns of evaluations and maps of use, and runs that began without them.
import Foundation
import Run
import RunFile
import RunFileTorture
import Testing

extension RunFileTests {
  @Suite struct MemoryMapTests {
    let scratch = ScratchFolder()

    private func beginning(_ name: String) -> Beginning {
      var beginning = Sample.beginning(name)
      beginning.recipe.model.memory.keys = 4
      return beginning
    }

    private func evaluation(_ step: Int) -> Evaluation {
      var evaluation = Sample.evaluation(step)
      evaluation.memories = beginning("").recipe.memoryGroups.enumerated().map { index, group in
        var use = MemoryUse(group: group)
        for (place, number) in MemoryUse.numbers.enumerated() {
          use[keyPath: number.place] = Float(step + place + index)
        }
        return use
      }
      return evaluation
    }

    private func map(_ step: Int) -> MemoryMap {
      let picks = (0..<16).map { UInt32($0 * step) }
      return MemoryMap(
        step: step, counts: [TableCounts(keys: 4, picks: picks, last: picks, steps: step, counted: step)],
        of: beginning("").recipe.memoryGroups)
    }

    private func record(_ steps: ClosedRange<Int>, to recorder: Recorder) throws {
      for step in steps {
        _ = try recorder.record(.stepped(Sample.report(step)))
        guard step % 2 == 0 else { continue }
        _ = try recorder.record(.evaluated(evaluation(step)))
        _ = try recorder.record(.mapped(map(step)))
      }
    }

    private func stored(_ name: String) throws -> (maps: [MemoryMap], uses: [[MemoryUse]]) {
      let run = try StoredRun(opening: scratch(name))
      let events = try run.events()
      let maps = events.compactMap { if case .mapped(let map) = $0 { map } else { nil } }
      // A screen that begins with the run has them too.
      #expect(try run.history().compactMap { if case .mapped(let map) = $0 { map } else { nil } } == maps)
      return (maps, events.compactMap { if case .evaluated(let value) = $0 { value.memories } else { nil } })
    }

    @Test func `maps and numbers survive crashes, and a step taken again is stored once`() throws {
      let recorder = try Recorder(creating: scratch("a"), beginning: beginning("a"))
      try record(1...4, to: recorder)
      for copy in try scratch.crash(recorder) {
        let read = try stored(copy)
        #expect(read.maps == [map(2), map(4)] && read.uses == [2, 4].map { evaluation($0).memories }, "\(copy)")
        #expect(try Verification(of: scratch(copy)).isWhole)
      }
      let later = try Recorder(resuming: scratch("a"), from: 0, beginning: beginning("a"))
      // What was counted since the session began is another number, and no difference of the training.
      for step in 1...6 {
        _ = try later.record(.stepped(Sample.report(step)))
        guard step % 2 == 0 else { continue }
        var again = evaluation(step)
        for index in again.memories.indices { again.memories[index].used += 0.25 }
        #expect(try later.record(.evaluated(again)).allSatisfy { $0.kind != .warning }, "step \(step)")
        _ = try later.record(.mapped(map(step)))
      }
      try later.close(.stopped)
      #expect(try stored("a").maps.map(\.step) == [2, 4, 6])
      #expect(try Verification(of: scratch("a")).isWhole)
    }

    @Test func `what a layer adds is compared when steps are taken again`() throws {
      let recorder = try Recorder(creating: scratch("a"), beginning: beginning("a"))
      try record(1...2, to: recorder)
      try recorder.close(.stopped)
      let later = try Recorder(resuming: scratch("a"), from: 0, beginning: beginning("a"))
      for step in 1...2 { _ = try later.record(.stepped(Sample.report(step))) }
      var other = evaluation(2)
      other.memories[0].output += 1
      let told = try later.record(.evaluated(other))
      #expect(told.contains { $0.text.contains("memory-output/block-0") }, "\(told)")
      try later.close(.stopped)
    }

    @Test func `a run of an older foretop goes on without them`() throws {
      let recorder = try Recorder(creating: scratch("a"), beginning: beginning("a"))
      try recorder.close(.stopped)
      let columns = MemoryUse.numbers.map { "memory-" + $0.name }
      let arguments = columns.joined(separator: " ")
      _ = try Program.run(
        Program.python(),
        [Program.root + "/Tests/RunFileTests/Readers/without.py", scratch("a") + "/run.h5", "/heldout"] + columns)
      let code = "import sys, h5py; file = h5py.File(sys.argv[1], 'r+'); del file['/samples/memory']; file.close()"
      #expect(try Program.run(Program.python(), ["-c", code, scratch("a") + "/run.h5"]).status == 0, "\(arguments)")
      let later = try Recorder(resuming: scratch("a"), from: 0, beginning: beginning("a"))
      try record(1...4, to: later)
      for copy in try scratch.crash(later, copies: ["lost"]) {
        let read = try stored(copy)
        #expect(read.maps.isEmpty && read.uses.count == 2 && read.uses.allSatisfy(\.isEmpty), "\(copy)")
        #expect(try Verification(of: scratch(copy)).isWhole)
      }
    }

    @Test func `a run without memory layers has no table of them`() throws {
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a"))
      _ = try recorder.record(.stepped(Sample.report(1)))
      _ = try recorder.record(.mapped(map(1)))
      try recorder.close(.stopped)
      #expect(try stored("a").maps.isEmpty)
      #expect(try Verification(of: scratch("a")).isWhole)
    }
  }
}
