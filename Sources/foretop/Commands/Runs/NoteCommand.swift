// foretop note and foretop tag: notes and tags of runs.
import ArgumentParser
import Foundation
import Run
import RunFile
import TerminalUI

struct NoteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "note", abstract: "Adds a note to a run, live or stored; without a text, lists its notes.",
    discussion: """
      Notes are a part of the run: “foretop inspect NAME events” and “foretop runs --columns name,note” show them, and \
      “foretop runs --filter 'note~word'” finds runs by them. Notes are stored in run.h5; a note of a live run is written \
      there when the run ends.
      """)

  @OptionGroup var which: RunArgument

  @Argument(help: ArgumentHelp("The note, in one line.", valueName: "text"))
  var text: String?

  @OptionGroup var output: JSONOption

  @OptionGroup var place: FolderOptions

  func run() throws {
    if let text { return try Annotations.add([(.note, text)], to: which.name, in: place) }
    for note in try RunLookup.archive(which.name, in: place).annotations().notes {
      print(
        output.json ? note.noteJSON.line : "\(Clock.date(note.time))  step \(Figure.grouped(note.step))  \(note.text)")
    }
  }
}

struct TagCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tag", abstract: "Adds tags to a run, live or stored, or removes them; without a tag, lists its tags.",
    discussion: "“foretop runs --filter tag=seed-study” lists the runs that have a tag.")

  @OptionGroup var which: RunArgument

  @Argument(help: ArgumentHelp("A word such as seed-study.", valueName: "tag"))
  var tags: [String] = []

  @Flag(help: "Removes the tags.")
  var remove = false

  @OptionGroup var place: FolderOptions

  func validate() throws {
    if remove, tags.isEmpty { throw ValidationError("--remove needs the tags to remove: name them") }
  }

  func run() throws {
    let archive = try RunLookup.archive(which.name, in: place)
    let there = try archive.annotations().tags
    guard !tags.isEmpty else {
      for tag in there { print(tag) }
      return
    }
    let tags = try tags.map(Annotation.tag.checked)
    if remove, let other = tags.first(where: { !there.contains($0) }) {
      let words = there.isEmpty ? "it has no tag" : "it has \(there.joined(separator: ", "))"
      throw UserError(.usage, "run “\(which.name)” has no tag “\(other)”: \(words)")
    }
    let new = tags.filter { remove || !there.contains($0) }
    try Annotations.add(new.map { (remove ? .untag : .tag, $0) }, to: which.name, in: place, opened: archive)
  }
}

enum Annotations {
  /// Adds notes or tags to a run.
  /// - Parameter opened: the run, where it was read already.
  static func add(
    _ texts: [(Annotation, String)], to name: String, in place: FolderOptions, opened: StoredRun? = nil
  ) throws {
    guard !texts.isEmpty else { return }
    let folder = try RunLookup.folder(name, in: place)
    let step = try (opened ?? RunLookup.archive(name, in: place)).summary().step
    let now = Date().timeIntervalSince1970
    let occurrences = try texts.map { Occurrence($0, try $0.checked($1), step: step, time: now) }
    if let error = try StoredRun.annotate(folder, occurrences) {
      Output.warn("the note or tag is kept beside run.h5 until that file can be written: \(error)")
    }
  }
}

extension Occurrence {
  /// The note as an object of `--json`.
  var noteJSON: JSON {
    .object([JSON.Member("time", .double(time)), JSON.Member("step", .integer(step)), JSON.Member("text", .text(text))])
  }
}
