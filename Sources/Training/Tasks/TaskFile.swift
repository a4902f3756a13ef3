// A task: a file of JSON lines, each of which is a question.
import Corpus
import Run

/// The questions of a file.
package struct TaskSet: Sendable {
  package let items: [TaskItem]
  /// The file's name, for errors.
  package let source: String

  package init(items: [TaskItem], source: String) {
    self.items = items
    self.source = source
  }

  /// - Throws: as `[TaskItem].init(jsonLines:source:)`.
  package init(jsonLines bytes: [UInt8], source: String) throws {
    self.init(items: try [TaskItem](jsonLines: bytes, source: source), source: source)
  }
}

extension [TaskItem] {
  /// Reads a task. Lines of white space are skipped.
  /// - Parameters:
  ///   - bytes: the file's bytes.
  ///   - source: the file's name, for errors.
  /// - Throws: `UserError` with file, line and reason for the first line that is not a question, or if the file has no line.
  package init(jsonLines bytes: [UInt8], source: String) throws {
    if let kind = FileKind(bytes) {
      throw UserError(
        .data, "\(source) is \(kind.what), and a task is read as JSON lines in UTF-8: \(kind.advice(source))")
    }
    var items: [TaskItem] = []
    // The reader of JSON skips a byte order mark in the first line.
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      guard line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { continue }
      do {
        items.append(try Self.item(line, number: index + 1))
      } catch {
        throw UserError(.data, "\(source):\(index + 1): \(error)")
      }
    }
    guard let first = items.first else {
      throw UserError(.data, "\(source) has no question: give a file with a JSON object a line")
    }
    if let other = items.first(where: { ($0.answer == .word) != (first.answer == .word) }) {
      throw UserError(
        .data,
        "\(source):\(other.line): a question of another kind than those before: give last words and choices in files of their own"
      )
    }
    self = items
  }

  private static func item(_ line: ArraySlice<UInt8>, number: Int) throws(TaskFault) -> TaskItem {
    let object: JSON
    do {
      object = try JSON.read(line)
    } catch {
      throw TaskFault("not valid JSON: \(error)")
    }
    guard let members = object.members else { throw TaskFault("a JSON object is needed") }
    if let twice = object.repeatedKey { throw TaskFault("the key \(twice.quotation) comes twice") }
    let keys = Set(members.map(\.key))
    guard let form = TaskForm.all.first(where: { keys.isSuperset(of: $0.keys) }) else {
      let known = members.map(\.key.harmlessLine).joined(separator: ", ").excerpt
      throw TaskFault("no known kind of question has the keys \(known); known are \(TaskForm.summary)")
    }
    let item = try form.item(TaskLine(number: number, object: object))
    guard item.context.unicodeScalars.contains(where: { !$0.isPythonSpace }) else {
      throw TaskFault("the context is empty: the first token of an answer needs one before it")
    }
    return item
  }
}
