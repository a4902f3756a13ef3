// What a power cut may leave: run.h5 in any state, because nobody waited for it to be on the disk, and a journal that ends
// somewhere after the last entry that was.
import Foundation
import Run
import RunFile
import RunFileTorture
import Support
import Testing

extension RunFileTests {
  @Suite struct PowerCut {
    let scratch = ScratchFolder()

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

    private func garbage(_ count: Int, _ dice: inout Dice) -> Data {
      Data((0..<count).map { _ in UInt8.random(in: 0...255, using: &dice) })
    }

    /// Writes garbage, zeros or an older state over parts of a file, as lost and torn sectors do.
    private func damaged(_ data: Data, how: Int, _ dice: inout Dice) -> Data {
      var data = data
      func sector(_ content: (inout Dice) -> Data) {
        let start = Int.random(in: 0...data.count / 512, using: &dice) * 512
        guard start + 512 <= data.count else { return }
        data.replaceSubrange(start..<start + 512, with: content(&dice))
      }
      switch how % 7 {
      case 0: for _ in 0..<20 { sector { _ in Data(count: 512) } }
      case 1: for _ in 0..<20 { sector { garbage(512, &$0) } }
      case 2: data = data.prefix(Int.random(in: 0...data.count, using: &dice))
      case 3: data.replaceSubrange(0..<min(512, data.count), with: garbage(512, &dice))
      case 4: for _ in 0..<2000 { sector { _ in Data(count: 512) } }
      case 5: data = Data()
      default:
        // Sectors exchanged: what was meant for one place lies in another.
        for _ in 0..<10 {
          let other = Int.random(in: 0..<data.count / 512, using: &dice) * 512
          let content = data.subdata(in: other..<other + 512)
          sector { _ in content }
        }
      }
      return data
    }

    @Test(arguments: [1, 2, 3]) func `whatever becomes of run.h5, the journal has it all`(sessions: Int) throws {
      let folder = scratch("a")
      var dice = Dice(for: "power cuts after \(sessions) sessions")
      var stored = 0
      var before = 0
      for session in 0..<sessions {
        before = session == 0 ? 0 : try Killed.check(folder, Promise(stored: stored))
        let end = before + Int.random(in: 100...400, using: &dice)
        stored = try Killed.writeAndKill(folder) { $0.promise.stored >= end }.stored
      }
      let file = URL(fileURLWithPath: folder + "/run.h5")
      let log = URL(fileURLWithPath: folder + "/run.journal")
      let wholeFile = try Data(contentsOf: file)
      let wholeLog = try Data(contentsOf: log)
      for round in 0..<(Trial.isFull ? 70 : 7) {
        try damaged(wholeFile, how: round, &dice).write(to: file)
        // Half of the cuts take the journal's end too, torn in the middle of an entry.
        let length =
          round % 2 == 0 ? wholeLog.count : Int.random(in: wholeLog.count / 2...wholeLog.count, using: &dice)
        try (wholeLog.prefix(length) + garbage(round % 4 == 1 ? 700 : 0, &dice)).write(to: log)
        let there = steps(in: wholeLog, upTo: length).last ?? before
        if length == wholeLog.count {
          try Killed.check(folder, Promise(stored: stored))
        } else {
          // What else happened at the last step comes behind its row.
          try Killed.check(folder, Promise(stored: there - 1), isGapless: false)
        }
      }
      // The last damage stays, and the run goes on.
      try Data().write(to: file)
      try wholeLog.write(to: log)
      let (status, output, errors) = try Program.run(Program.torture(), ["write", folder, "\(stored + 20)", "0"])
      #expect(status == 0 && output.hasSuffix("closed \(stored + 20)\n"), "\(errors)")
      #expect(try StoredRun(opening: folder).summary().step == stored + 20)
      let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      #expect(names == ["checkpoints", "run.h5", "run.lock"], "a clean close leaves no journal")
    }

    @Test func `a run whose file cannot be copied keeps all that is in it`() throws {
      let folder = scratch("a")
      let first = try Killed.writeAndKill(folder) { $0.promise.stored >= 150 }
      let promise = try Killed.writeAndKill(folder) { $0.promise.stored >= first.stored + 150 }
      chmod(folder + "/run.h5", 0o640)
      // Where the copy would be is something else, and what the file was before the session is gone.
      try FileManager.default.createDirectory(atPath: folder + "/run.h5.copy", withIntermediateDirectories: false)
      try FileManager.default.removeItem(atPath: folder + "/run.h5.before")
      try? Recorder.recover(folder)
      try Killed.check(folder, promise)
      try FileManager.default.removeItem(atPath: folder + "/run.h5.copy")
      let original = try FileManager.default.attributesOfItem(atPath: folder + "/run.h5")
      try Recorder.recover(folder)
      try Killed.check(folder, promise)
      let now = try FileManager.default.attributesOfItem(atPath: folder + "/run.h5")
      #expect(now[.posixPermissions] as? Int == original[.posixPermissions] as? Int)
    }

    @Test func `a link to another disk is not replaced by a file`() throws {
      let folder = scratch("a")
      let promise = try Killed.writeAndKill(folder) { $0.promise.stored >= 150 }
      let elsewhere = scratch("elsewhere.h5")
      try FileManager.default.moveItem(atPath: folder + "/run.h5", toPath: elsewhere)
      symlink(elsewhere, folder + "/run.h5")
      let before = try Data(contentsOf: URL(fileURLWithPath: elsewhere))
      #expect(throws: UserError.self) { try Recorder.recover(folder) }
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/run.h5") == elsewhere)
      #expect(try Data(contentsOf: URL(fileURLWithPath: elsewhere)) == before)
      try Killed.check(folder, promise)
    }
  }
}
