// A corpus of a text that a test makes up.
import Corpus
import Foundation
import Run

extension Corpus {
  /// Reads a text as a recipe asks for it, except for the tokenizer. Its files are gone when this returns.
  /// - Parameter model: the path of the tokenizer's model, for kinds that have one.
  package init(text: String, for recipe: Recipe, tokenizer: TokenizerKind = .bytes, model: String = "") throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("foretop-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("text.txt")
    try Data(text.utf8).write(to: file)
    try self.init(
      opening: Corpus.Source(
        paths: [file.path], kind: tokenizer, model: model, heldOut: recipe.data.heldOut, context: recipe.model.context,
        documents: recipe.data.documents == .separate ? DocumentBounds(separator: recipe.data.separator) : nil,
        cache: folder.appendingPathComponent("cache").path))
  }
}
