// The one error type of the program: a sentence for a person and a status for a shell.

/// An error for the user. The message names the fault, the place (path, name, number), and the next action.
package struct UserError: Error, Sendable, CustomStringConvertible {
  /// Exit statuses, after sysexits.h.
  package enum Status: Int32, Sendable {
    /// A wrong option, key or value.
    case usage = 64
    /// A file's content is not what it should be.
    case data = 65
    /// No such file or run.
    case noInput = 66
    /// The machine cannot do it: no such instructions, not enough memory.
    case unavailable = 69
    /// A file or folder cannot be created.
    case cannotCreate = 73
    /// Reading or writing failed.
    case inputOutput = 74
    /// Stopped by an interrupt.
    case interrupted = 130
  }

  package var status: Status
  package var message: String

  package init(_ status: Status, _ message: String) {
    self.status = status
    self.message = message
  }

  package var description: String { message }

  /// Any error as a sentence.
  package static func sentence(of error: any Error) -> String { (error as? UserError)?.message ?? "\(error)" }

  /// An error as one for a user: itself where it is one already, else with what was being done.
  /// - Parameter what: such as `reading /a/b`, with the path.
  package init(_ error: any Error, _ status: Status = .inputOutput, while what: @autoclosure () -> String) {
    self = error as? UserError ?? UserError(status, "\(what()) failed: \(error)")
  }
}

extension String {
  /// Without spaces and tabs at its ends.
  package var trimmingSpaces: String {
    String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }

  /// Without the byte order mark that some editors put before a text; it says nothing of a text in UTF-8.
  package var withoutByteOrderMark: String {
    unicodeScalars.first == "\u{FEFF}" ? String(unicodeScalars.dropFirst()) : self
  }
}
