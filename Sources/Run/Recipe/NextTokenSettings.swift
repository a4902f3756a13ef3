// How the next-token loss is shaped: further tokens as extra targets that fade out, and weights that depend on the prediction.

extension Recipe {
  /// What NTP is trained on besides the next token. The defaults are plain cross-entropy; evaluations measure that in any case.
  package struct NextTokenSettings: Codable, Sendable, Equatable {
    /// n: tokens that NTP's own head is trained on at first; 1 is the next token alone.
    package var ahead = 1
    /// Factor on the weights of the tokens after the next one: 1 is the published schedule, 0 leaves the next token alone.
    package var further = 1.0
    /// Weight, at first, of the longest token that the next one begins with.
    package var prefix = 0.0
    /// Whether the targets' weights are divided by their sum.
    package var mean = false
    /// β: the next token's weight is multiplied by (1 − p)^β.
    package var beta = 0.0
    /// λ_head and λ_tail: further targets of weight λ·p, for the likeliest wrong tokens and for all others.
    package var head = 0.0
    package var tail = 0.0
    /// k: how many wrong tokens count as likeliest.
    package var likeliest = 16
    /// Whether commands can shape the loss although these numbers are those of plain cross-entropy now.
    package var steerable = false

    package init() {}

    /// True if NTP is trained on more than plain cross-entropy at some step, or commands can have it so.
    package var isShaped: Bool { ahead > 1 || prefix > 0 || beta != 0 || head != 0 || tail != 0 || steerable }

    /// After a change of a shaped loss's numbers: where they are those of plain cross-entropy now, commands can shape it again, in
    /// later sessions too.
    package mutating func keepSteerable() { if !isShaped { steerable = true } }
  }
}
