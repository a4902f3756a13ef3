// Layouts that change while they are shown: somebody saved a file.
import Run
import TerminalUI

extension Dashboard {
  /// Takes other layouts; the one shown is replaced by its new version, or by the train layout where it is gone.
  /// - Parameters:
  ///   - problems: sentences on layout files that could not be used, for the events panel.
  ///   - time: Unix time, seconds, for these.
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
