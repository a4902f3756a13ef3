// The data screen on a terminal. Reading a window is quick, so that it needs no thread of its own.
import Dashboard
import Foundation
import Run
import TerminalUI

/// Shows windows until the user leaves.
struct DataLoop: ~Copyable {
  /// How the screen was left.
  enum DataExit {
    /// With the process's exit status.
    case left(Int32)
    /// For the list of all runs.
    case runs
  }

  private var view: ScreenView<DataScreen>
  private let signals: Signals

  /// Opens the screen.
  /// - Returns: nil if the terminal cannot show one.
  init?(_ summary: DataSummary, _ page: DataPage, _ looks: LookOptions) throws {
    signals = Signals(withScreen: true)
    guard
      let view = ScreenView.open(looks, try LayoutFiles(), showing: { DataScreen(summary, page, glyphs: $0) })
    else {
      // Nobody reads the pipe while lines are printed.
      Signals.endEarly()
      return nil
    }
    self.view = view
    let preferences = PreferenceFile()
    self.view.content.use(preferences.chosen(looks))
    if let problem = preferences.problem { self.view.content.say(problem) }
  }

  /// - Parameter window: reads the window of a number.
  mutating func run(_ window: (Int) throws -> DataPage) throws -> DataExit {
    while true {
      for signal in signals.taken() {
        switch signal {
        case SIGTSTP: view.pauseForShell()
        case SIGHUP: return .left(128 + SIGHUP)
        case _ where Signals.isStop(signal): return .left(signal == SIGINT ? 0 : 128 + signal)
        default: break
        }
      }
      _ = view.overheardLines()
      while let number = view.content.wantedWindow { view.content.follow(with: try? window(number)) }
      switch view.turn(wake: signals.descriptor) {
      case .nothing: continue
      case .gone: return .left(128 + SIGHUP)
      case .asked(.leave): return .left(0)
      case .asked(.runs): return .runs
      case .asked(.window(let number)):
        do {
          view.content.take(try window(number))
        } catch {
          refuse(error, while: "reading window \(number)")
        }
      case .asked(.document):
        let end = Clock.now + 1
        do {
          try view.content.findDocument(window) { Clock.now > end }
        } catch {
          refuse(error, while: "looking for the next document")
        }
      }
    }
  }

  /// The text has changed: the present window stays, with the reason.
  private mutating func refuse(_ error: any Error, while activity: String) {
    view.content.say(UserError(error, while: activity).message.harmlessLine)
  }
}
