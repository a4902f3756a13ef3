// What a power cut may leave: run.h5 in any state, because nobody waited for it to be on the disk, and a journal that ends
// somewhere after the last entry that was.
import Foundation
import Run
import RunFile
import RunFileTorture
import Testing

extension RunFileTests {
  @Suite struct PowerCut {
    let scratch = Scratch()

    /// The steps that a journal has in its first `length` bytes: entries are length, checksum, number, and for steps a
    /// count and the step's number first.
    private func steps(in journal: Data, upTo length: Int) -> [Int] {
      let bytes = [UInt8](journal.prefix(length))
      var place = 16
      var steps: [Int] = []
      while place + 8 < bytes.count {
        let size = bytes[place..<place + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard place + 8 + size <= bytes.count else { break }
        if bytes[place + 8] == 0 {
          let bits = bytes[place + 10..<place + 18].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
          steps.append(Int(Double(bitPattern: bits)))
        }
        place += 8 + size
      }
      return steps
    }

    /// Writes garbage, zeros or an older state over parts of a file, as lost and torn sectors do.
    private func damaged(_ data: Data, how: Int) -> Data {
      var data = data
      func sector(_ content: () -> Data) {
        let start = Int.random(in: 0...data.count / 512) * 512
        guard start + 512 <= data.count else { return }
        data.replaceSubrange(start..<start + 512, with: content())
      }
      let garbage = { Data((0..<512).map { _ in UInt8.random(in: 0...255) }) }
      switch how % 7 {
      case 0: for _ in 0..<20 { sector { Data(count: 512) } }
      case 1: for _ in 0..<20 { sector(garbage) }
      case 2: data = data.prefix(Int.random(in: 0...data.count))
      case 3: data.replaceSubrange(0..<min(512, data.count), with: garbage())
      case 4: for _ in 0..<2000 { sector { Data(count: 512) } }
      case 5: data = Data()
      default:
        // Sectors exchanged: what was meant for one place lies in another.
        for _ in 0..<10 {
          let other = Int.random(in: 0..<data.count / 512) * 512
          sector { data.subdata(in: other..<other + 512) }
        }
      }
      return data
    }

    @Test(arguments: [1, 2, 3]) func `whatever becomes of run.h5, the journal has it all`(sessions: Int) throws {
      let folder = scratch("a")
      var stored = 0
      var saved = 0
      var before = 0
      for _ in 0..<sessions {
        before = stored == 0 ? 0 : try Killed.check(folder, stored: stored, saved: saved)
        (stored, saved) = try Killed.writeAndKill(folder, after: 400_000)
        #expect(stored > before, "the session ended before it came to new steps")
      }
      let file = URL(fileURLWithPath: folder + "/run.h5")
      let log = URL(fileURLWithPath: folder + "/run.journal")
      let wholeFile = try Data(contentsOf: file)
      let wholeLog = try Data(contentsOf: log)
      for round in 0..<70 * Program.patience {
        try damaged(wholeFile, how: round).write(to: file)
        // Half of the cuts take the journal's end too, torn in the middle of an entry.
        let length = round % 2 == 0 ? wholeLog.count : Int.random(in: wholeLog.count / 2...wholeLog.count)
        try
          (wholeLog.prefix(length) + (round % 4 == 1 ? Data((0..<700).map { _ in UInt8.random(in: 0...255) }) : Data()))
          .write(to: log)
        let there = steps(in: wholeLog, upTo: length).last ?? before
        if length == wholeLog.count {
          try Killed.check(folder, stored: stored, saved: 0)
        } else {
          // What else happened at the last step comes behind its row.
          try Killed.check(folder, stored: there - 1, saved: 0, isGapless: false)
        }
      }
      // The last damage stays, and the run goes on.
      try Data().write(to: file)
      try wholeLog.write(to: log)
      let (status, output, errors) = try Program.run(Program.torture(), ["write", folder, "\(stored + 20)", "0"])
      #expect(status == 0 && output.hasSuffix("closed \(stored + 20)\n"), "\(errors)")
      #expect(try Archive(opening: folder).summary().step == stored + 20)
      let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      #expect(names == ["checkpoints", "run.h5", "run.lock"], "a clean close leaves no journal")
    }

    @Test func `a run whose file cannot be copied keeps all that is in it`() throws {
      let folder = scratch("a")
      let (first, _) = try Killed.writeAndKill(folder, after: 400_000)
      let (stored, saved) = try Killed.writeAndKill(folder, after: 400_000)
      #expect(stored > first && first > 0)
      chmod(folder + "/run.h5", 0o640)
      // Where the copy would be is something else, and what the file was before the session is gone.
      try FileManager.default.createDirectory(atPath: folder + "/run.h5.copy", withIntermediateDirectories: false)
      try FileManager.default.removeItem(atPath: folder + "/run.h5.before")
      try? Recorder.recover(folder)
      try Killed.check(folder, stored: stored, saved: saved)
      try FileManager.default.removeItem(atPath: folder + "/run.h5.copy")
      let original = try FileManager.default.attributesOfItem(atPath: folder + "/run.h5")
      try Recorder.recover(folder)
      try Killed.check(folder, stored: stored, saved: saved)
      let now = try FileManager.default.attributesOfItem(atPath: folder + "/run.h5")
      #expect(now[.posixPermissions] as? Int == original[.posixPermissions] as? Int)
    }

    @Test func `a link to another disk is not replaced by a file`() throws {
      let folder = scratch("a")
      let (stored, saved) = try Killed.writeAndKill(folder, after: 400_000)
      let elsewhere = scratch("elsewhere.h5")
      try FileManager.default.moveItem(atPath: folder + "/run.h5", toPath: elsewhere)
      symlink(elsewhere, folder + "/run.h5")
      let before = try Data(contentsOf: URL(fileURLWithPath: elsewhere))
      #expect(throws: UserError.self) { try Recorder.recover(folder) }
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/run.h5") == elsewhere)
      #expect(try Data(contentsOf: URL(fileURLWithPath: elsewhere)) == before)
      try Killed.check(folder, stored: stored, saved: saved)
    }
  }
}
