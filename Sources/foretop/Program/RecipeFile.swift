// Finds a recipe by a name in recipes/ or by its path.
import Foundation
import Run

/// A recipe with the default name of its runs.
struct RecipeFile {
  let recipe: Recipe
  /// The file's name without `.yaml`.
  let name: String
  /// The origins of its values, for messages.
  let origins: KeyOrigins

  /// - Parameter word: a name in recipes/, or a path to a YAML file.
  init(_ word: String) throws {
    let known = BundledFiles.files(in: "recipes")
    let isPath = word.contains("/") || word.hasSuffix(".yaml") || word.hasSuffix(".yml")
    let path: String
    if !isPath, let file = known.first(where: { $0.name == word }) {
      path = file.path
    } else if isPath || FileManager.default.fileExists(atPath: word) {
      path = word
    } else {
      let names = known.map(\.name)
      let meant = names.nearest(to: word).map { "; did you mean \($0)?" } ?? "."
      throw UserError(
        .noInput,
        names.isEmpty
          ? "there is no recipe \(word.quotation): the program's folder recipes/ is missing or empty; give a path to a YAML file"
          : "there is no recipe \(word.quotation)\(meant) Give one of \(names.joined(separator: ", ")), or a YAML file"
      )
    }
    var origins = KeyOrigins(path)
    recipe = try Recipe(yaml: BundledFiles.text(at: path, what: "recipe"), origins: &origins)
    self.origins = origins
    name = URL(filePath: path).deletingPathExtension().lastPathComponent
  }
}
