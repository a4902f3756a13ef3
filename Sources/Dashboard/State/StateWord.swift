// The word and the sign of a run's state, the same on every screen: what it says needs no colour.
import Run
import TerminalUI

/// A state in a word.
enum StateWord {
  /// - Parameter state: `training`, `finished`, … as `runs` and `--json` say it; `unreadable` where a run cannot be read.
  static func look(of state: String) -> (sign: String, word: String, style: Style) {
    switch state {
    case "starting": ("…", state, Style(.warning))
    case "training": ("●", state, Style(.good, .bold))
    case "evaluating": ("◐", state, Style(.third, .bold))
    case "finished": ("■", state, Style(.good))
    case "paused", "stopped", "abandoned": ("‖", state, Style(.warning))
    case "interrupted": ("○", state, Style(.warning))
    case "diverged", "failed", "unreadable": ("✗", state, Style(.bad, .bold))
    default: ("·", state, .faint)
    }
  }

  static func span(of state: String) -> Span {
    let look = look(of: state)
    return Span("\(look.sign) \(look.word)", look.style.bold)
  }
}
