// Options whose value may begin with a minus sign: `--steps -3` is refused for its value, not as an unknown option.
import ArgumentParser

extension Option {
  /// An option that may be left out.
  /// - Parameters:
  ///   - value: the name of the value in the help.
  ///   - about: the help.
  init<Element: ExpressibleByArgument>(value: String, _ about: String) where Value == Element? {
    self.init(parsing: .unconditional, help: ArgumentHelp(about, valueName: value))
  }

  /// An option that must be given.
  init(value: String, _ about: String) where Value: ExpressibleByArgument {
    self.init(parsing: .unconditional, help: ArgumentHelp(about, valueName: value))
  }

  /// An option with a default.
  init(wrappedValue: Value, value: String, _ about: String) where Value: ExpressibleByArgument {
    self.init(wrappedValue: wrappedValue, parsing: .unconditional, help: ArgumentHelp(about, valueName: value))
  }
}
