// What crashes leave of a run that is being recorded.
import Foundation
import RunFile

extension ScratchFolder {
  /// Ends the recording of run `a` as one that stopped, and recovers copies of its folder from the moment before.
  /// - Parameter copies: `killed` is the folder as it was; `lost` has its journal alone.
  /// - Returns: the names of all, `a` first.
  func crash(_ recorder: Recorder, copies: [String] = ["killed", "lost"]) throws -> [String] {
    recorder.flush()
    for copy in copies { try FileManager.default.copyItem(atPath: self("a"), toPath: self(copy)) }
    try recorder.close(.stopped)
    for copy in copies {
      if copy == "lost" {
        for name in try FileManager.default.contentsOfDirectory(atPath: self(copy)) where name.hasPrefix("run.h5") {
          try FileManager.default.removeItem(atPath: self(copy) + "/" + name)
        }
      }
      try Recorder.recover(self(copy))
    }
    return ["a"] + copies
  }
}
