// Replaces layouts while they are shown, after a layout file was saved.
import Run
import TerminalUI

extension Dashboard {
  /// Replaces all layouts. The shown one becomes its new version, or the train layout if it no longer exists.
  /// - Parameters:
  ///   - problems: sentences on unusable layout files, for the events panel.
  ///   - time: Unix time of these sentences, in seconds.
  package mutating func use(_ layouts: [Layout], problems: [String], time: Double) {
    needsDrawing = true
    self.layouts = layouts.contains { $0.key == 1 } ? layouts : [.train] + layouts
    let name = layout.name
    if let new = self.layouts.first(where: { $0.name == name }) ?? self.layouts.first(where: { $0.key == 1 }),
      new != layout
    {
      show(new)
    }
    let step = history.last?.step ?? beginning?.step ?? 0
    for problem in problems where log.last?.text != problem {
      log.append(LogLine(time: time, step: step, text: problem, style: Style(.warning)))
    }
  }
}
