// A teacher whose stored predictions the next-token head learns beside the text.

extension Recipe {
  /// SALT (arXiv 2410.18779): next-token prediction whose target is (1 − w) e + w q at first, q being a teacher's prediction.
  package struct TeacherSettings: Codable, Sendable, Equatable {
    /// What “foretop teach” wrote; empty without a teacher.
    package var file = ""
    /// w.
    package var weight = 0.5
    /// Tokens of the teacher's prediction that count one by one; the others count together.
    package var top = 10
    /// Steps at the beginning that the teacher teaches; 0: all.
    package var steps = 0

    package init() {}

    package var isThere: Bool { !file.isEmpty }

    /// True if the step after `step` steps has the teacher.
    package func isNeeded(after step: Int) -> Bool { weight(at: step) > 0 }

    /// w at a step.
    /// - Parameter step: steps taken before it.
    package func weight(at step: Int) -> Double { isThere && (steps == 0 || step < steps) ? weight : 0 }
  }
}
