// The machine panel: the share of the machine that the run gets and that other processes take, and how much of what the machine
// can do the run makes of it.
import Run
import TerminalUI

extension Dashboard {
  /// True if the layout shows the machine panel, so that the program must measure the machine.
  package var showsMachine: Bool {
    guard mode != .stored else { return false }
    return layout.arrangement(columns: size.columns, rows: size.rows).contains { $0.panel == .machine }
  }

  /// Sets the use of the machine in the last second.
  package mutating func receive(_ use: MachineUse) {
    machineProblem = ""
    guard machine != use else { return }
    machine = use
    needsDrawing = true
  }

  /// Says in the panel why the machine cannot be measured.
  package mutating func lacksMachine(because sentence: String) {
    guard machineProblem != sentence else { return }
    (machine, machineProblem) = (nil, sentence)
    needsDrawing = true
  }

  func drawMachine(in rectangle: Rectangle, on canvas: inout Canvas) {
    let inside = frame(
      .machine, notes: machine.map { ["\(Figure.threads($0.threads)) in all"] } ?? [], in: rectangle, on: &canvas)
    guard mode != .stored else {
      return drawNothing("no process trains this run now", in: inside, on: &canvas)
    }
    guard let machine else {
      let words = machineProblem.isEmpty ? "the first measurement takes a second" : machineProblem
      return drawNothing(words, in: inside, on: &canvas)
    }
    let cpus = Double(max(machine.processors, 1))
    var lines = [
      MachineLine(
        name: "this run", share: machine.own / cpus, role: .first,
        text: "\(Figure.fixed(machine.own, 1)) of \(machine.processors) CPUs"),
      MachineLine(
        name: "others", share: machine.others / cpus, role: takesMuch(machine) ? .warning : .faint,
        text: Figure.fixed(machine.others, 1) + (machine.busiest.map { "  \($0.name)" } ?? "")),
    ]
    if let line = limitLine { lines.append(line) }
    if let memory = machine.memory {
      let whole = Double(memory.limit ?? memory.total)
      lines.append(
        MachineLine(
          name: "memory", share: Double(machine.resident) / max(whole, 1), role: .second,
          text: "\(Figure.bytes(Double(machine.resident))), \(Figure.bytes(Double(memory.available))) free"))
    }
    if let free = machine.freeDisk {
      lines.append(MachineLine(name: "disk", share: nil, role: .plain, text: "\(Figure.bytes(Double(free))) free"))
    }
    let text = lines.map(\.text.width).max() ?? 0
    let bar = inside.columns - 9 - text - 1
    for (index, line) in lines.prefix(inside.rows).enumerated() {
      canvas.write(line.name, style: .faint, line: index, of: inside)
      if let share = line.share, bar >= 4 {
        canvas.bar(
          share, columns: bar, style: Style(line.role), column: inside.column + 9, row: inside.row + index, in: inside,
          glyphs: glyphs)
      }
      let style = line.role == .warning ? Style(.warning, .bold) : .plain
      canvas.write(line.text, style: style, line: index, of: inside, indent: 9, .right)
    }
    guard takesMuch(machine), inside.rows > lines.count, let reason = sentence(onOthers: machine) else { return }
    for (index, line) in reason.wrapped(to: inside.columns).enumerated() {
      canvas.write(line, style: Style(.warning), line: lines.count + index, of: inside)
    }
  }

  /// The run's share of the machine's limit; for an attached screen, how to have the limit measured. Nil where neither is known.
  private var limitLine: MachineLine? {
    if let limit = run.limit, let speed = history.speed?.tokensPerSecond, speed.isFinite {
      let share = speed / limit
      return MachineLine(
        name: "speed", share: share, role: .third, text: "\(Figure.fixed(share * 100, 0)) % of the limit")
    }
    guard mode == .attached, run.limit == nil, beginning?.ranks == 1 else { return nil }
    return MachineLine(name: "speed", share: nil, role: .plain, text: ":limit measures the limit")
  }

  /// True if the machine's limit is still to be measured for the share of it that the panel shows.
  package var lacksLimit: Bool {
    mode == .live && phase == .training && run.limit == nil && beginning?.ranks == 1 && machine != nil && showsMachine
  }

  /// Why training is slower: the process that takes most, or all others where that one alone explains little.
  private func sentence(onOthers machine: MachineUse) -> String? {
    func percent(_ load: Double) -> String { "\(Figure.fixed(load * 100, 0)) % of a CPU" }
    guard let busiest = machine.busiest else { return nil }
    guard busiest.load < machine.others / 2 else {
      return "another process, \(busiest.name), takes \(percent(busiest.load)): training is slower for it"
    }
    return
      "other processes take \(percent(machine.others)), \(busiest.name) the most of them: training is slower for them"
  }

  /// True if other processes take CPUs that the run's threads wait for.
  private func takesMuch(_ machine: MachineUse) -> Bool {
    machine.others > 0.2 && machine.own + machine.others > Double(machine.processors) * 0.85
  }
}

/// A line of the machine panel: a name, a bar, a text.
private struct MachineLine {
  let name: String
  /// The bar's length of 1; nil for a line without a bar.
  let share: Double?
  let role: Role
  let text: String
}
