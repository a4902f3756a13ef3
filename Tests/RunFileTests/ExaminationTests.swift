// Files of others, opened by another process first: what it says, and what it dies of.
import Foundation
import Run
import RunFile
import RunFileTorture
import Support
import Testing

extension RunFileTests {
  @Suite struct Examinations {
    let scratch = ScratchFolder()

    /// Opens a run and its newest checkpoint, with files examined as a command says.
    private func opening(_ name: String, by command: [String]) -> String {
      Sandbox.use(command)
      defer { Sandbox.use([]) }
      return sentence {
        let archive = try StoredRun(opening: scratch(name))
        _ = try archive.events()
        if try !archive.checkpoints().isEmpty { _ = try archive.checkpoint() }
      }
    }

    /// Files that nobody has seen: those that this process wrote are trusted.
    private func copied(_ name: String) throws {
      try FileManager.default.copyItem(atPath: scratch("written"), toPath: scratch(name))
    }

    @Test func `good files of others are opened: closed, live and left by a killed writer`() throws {
      let command = [try Program.torture(), "examine"]
      try writeRun(scratch("written"), steps: 60, checkpoints: [20, 40])
      try copied("a")
      #expect(opening("a", by: command) == "")
      let recorder = try Recorder(creating: scratch("b"), beginning: Sample.beginning("b"))
      for step in 1...40 { for event in Sample.events(at: step) { _ = try recorder.record(event) } }
      recorder.flush()
      #expect(opening("b", by: command) == "")
      try FileManager.default.copyItem(atPath: scratch("b"), toPath: scratch("killed"))
      #expect(opening("killed", by: command) == "")
      try recorder.close(.stopped)
    }

    @Test func `what the other process dies of is refused here, and so is what it never ends with`() throws {
      try writeRun(scratch("written"), steps: 30)
      try copied("a")
      #expect(opening("a", by: ["/bin/sh", "-c", "kill -SEGV $$"]).contains("crashes the library (signal 11)"))
      try copied("b")
      #expect(opening("b", by: ["/bin/sh", "-c", "kill -KILL $$"]).contains("never ends"))
      try copied("c")
      #expect(opening("c", by: ["/bin/sh", "-c", "exit 0"]).contains("ends the library"))
      try copied("d")
      #expect(opening("d", by: ["/no/such/program"]).contains("cannot start the process that examines"))
      #expect(opening("written", by: ["/no/such/program"]) == "", "its own file needs no examination")
    }

    @Test func `a process that waits for a processor is waited for, and one that computes nothing is not`() throws {
      try writeRun(scratch("written"), steps: 30)
      // It computes for longer than the file may take: what counts is that it goes on.
      let slow = "import time, socket\nwhile time.process_time() < 2.5: pass\nsocket.socket(fileno=0).send(b'0\\0')"
      for name in ["slow.h5", "waiting.h5"] {
        try FileManager.default.copyItem(atPath: scratch("written/run.h5"), toPath: scratch(name))
      }
      Sandbox.use([try Program.python(), "-c", slow], patience: 1)
      defer { Sandbox.use([]) }
      #expect(sentence { try Sandbox.require(.hdf5(scratch("slow.h5"))) } == "")
      Sandbox.use(["/bin/sh", "-c", "exec sleep 1000"], patience: 1)
      let said = sentence { try Sandbox.require(.hdf5(scratch("waiting.h5"))) }
      #expect(said.contains("has been waiting for") && !said.contains("damaged"), "\(said)")
    }

    @Test func `files of others that are no runs are refused with a sentence, by either process`() throws {
      try writeRun(scratch("written"), steps: 30, checkpoints: [30])
      let output = try Program.script("hostile.py", scratch.path, scratch("written"))
      let names = output.split(separator: "\n").map(String.init)
      #expect(names.count >= 8)
      let command = [try Program.torture(), "examine"]
      for name in names {
        let said = opening(name, by: command)
        #expect(said.contains(scratch(name)), "\(name): \(said)")
        #expect(!opening(name, by: []).isEmpty, "\(name) was opened")
      }
    }

    @Test func `only a reader of the overview has the overview examined`() throws {
      try writeRun(scratch("written"), steps: 30)
      try copied("a")
      let path = scratch("a/run.h5")
      let damage = "import h5py, sys\nwith h5py.File(sys.argv[1], 'r+') as file: del file['overview/L2/commit']"
      #expect(try Program.run(Program.python(), ["-c", damage, path]).status == 0)
      Sandbox.use([try Program.torture(), "examine"])
      defer { Sandbox.use([]) }
      #expect(try StoredRun.toFollow(scratch("a")).events.count > 30)
      #expect(sentence { try Sandbox.require(.hdf5(path)) } == "")
      #expect(sentence { try Sandbox.require(.overview(path)) }.contains("/overview/L2/commit is missing"))
    }

    @Test func `a process that is kept examines the next files, and one that was killed is replaced`() throws {
      try writeRun(scratch("written"), steps: 30)
      let names = ["a.h5", "b.h5", "c.h5"]
      for name in names {
        try FileManager.default.copyItem(atPath: scratch("written/run.h5"), toPath: scratch(name))
      }
      let pids = scratch("pids")
      Sandbox.use(["/bin/sh", "-c", "echo $$ >> '\(pids)'; exec '\(try Program.torture())' examine"])
      defer { Sandbox.use([]) }
      func started() throws -> [pid_t] {
        try String(contentsOfFile: pids, encoding: .utf8).split(separator: "\n").compactMap { pid_t($0) }
      }
      Sandbox.keepProcess()
      for name in names[..<2] { #expect(sentence { try Sandbox.require(.hdf5(scratch(name))) } == "") }
      #expect(try started().count == 1)
      kill(try started()[0], SIGKILL)
      var information = siginfo_t()
      #expect(waitid(P_PID, id_t(try started()[0]), &information, WEXITED | WNOWAIT) == 0)
      #expect(sentence { try Sandbox.require(.hdf5(scratch(names[2]))) } == "")
      #expect(try started().count == 2)
    }

    @Test func `one that dies does not keep the others from being listed`() throws {
      try writeRun(scratch("runs/written"), steps: 30)
      for name in ["a", "b", "c"] {
        try FileManager.default.copyItem(atPath: scratch("runs/written"), toPath: scratch("runs/\(name)"))
      }
      // It tells the same of every run, and dies of b.
      let script = """
        import socket, os
        s = socket.socket(fileno=0)
        while True:
            asked = s.recv(4096)
            if not asked: break
            if asked.endswith(b"/b\\0"): os.abort()
            s.send(b'0 {"name":"a","step":7,"steps":9,"tokens":1,"parameters":1,"heads":[],"last":[],"heldOut":[],'
                   b'"bytes":0,"checkpoints":0,"annotations":[]}\\0')
        """
      Sandbox.use([try Program.python(), "-c", script])
      defer { Sandbox.use([]) }
      let runs = try StoredRun.runs(in: scratch("runs"))
      #expect(runs.map(\.name) == ["a", "b", "c", "written"])
      #expect(runs.map(\.step) == [7, 0, 7, 7])
      #expect(runs.filter { $0.error != nil }.map(\.name) == ["b"])
      #expect(runs[1].error?.contains("(signal 6)") == true)
    }

    @Test(arguments: ["run.h5", "run.journal", "run.lock", "checkpoints/000000030.h5"])
    func `pipes and links in a run's folder neither hold a reader up nor lead a writer elsewhere`(name: String) throws {
      try writeRun(scratch("a"), steps: 30, checkpoints: [30])
      let path = scratch("a/" + name)
      try? FileManager.default.removeItem(atPath: path)
      mkfifo(path, 0o600)
      _ = sentence { _ = try StoredRun(opening: scratch("a")).events() }
      _ = try Verification(of: scratch("a"))
      unlink(path)
      let victim = scratch("victim")
      try Data("precious".utf8).write(to: URL(fileURLWithPath: victim))
      symlink(victim, path)
      let said = sentence {
        _ = try Recorder(resuming: scratch("a"), from: 30, beginning: Sample.beginning("a", step: 30))
      }
      // The journal's link is not written through: a new journal takes its place.
      #expect(said.isEmpty == (name == "run.journal"), "\(said)")
      #expect(try Data(contentsOf: URL(fileURLWithPath: victim)) == Data("precious".utf8))
    }
  }
}
