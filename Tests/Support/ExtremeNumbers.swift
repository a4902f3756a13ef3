// Numbers at the edges of what computers hold, as somebody may write them into a recipe.
import Run

package enum ExtremeNumbers {
  /// Texts for every key: around the edges of its range, and of Int32, Int, Float and Double.
  package static func texts(for field: Recipe.Field) -> [String] {
    var texts = [
      "0", "-0", "1", "-1", "0.5", "4.9e-324", "1e-320", "1e-46", "7e-46", "1.4e-45", "1e-39", "1e-30", "1e-9",
      "0.99999", "0.99999999", "0.9999999999999999", "1.00000001", "1e10", "3.4e38", "3.5e38", "1e39", "1e308", "1e309",
      "2147483647", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808", "18446744073709551615",
      "18446744073709551616", "-9223372036854775809", "9007199254740993", "1e18", "9.3e18",
    ]
    if case .integer(let range) = field.kind {
      for edge in [range.lowerBound, range.upperBound] { texts += [edge - 1, edge, edge + 1].map(String.init) }
    }
    for edge in [0, 0.5, 1, 10, 100, 1000, 1e6, 1e9] as [Double] {
      texts += [edge.nextDown, edge.nextUp, Double(Float(edge).nextDown), Double(Float(edge).nextUp)].map { "\($0)" }
    }
    return texts
  }

  /// Every recipe that differs from this one in one number, and that the key and the rules take; each once, though several texts
  /// may stand for a number.
  package static func recipes(from plain: Recipe) -> [(name: String, recipe: Recipe)] {
    Recipe.fields.flatMap { field in
      var found: [(name: String, recipe: Recipe)] = []
      for text in texts(for: field) {
        var recipe = plain
        guard (try? recipe.set("\(field.key)=\(text)", source: "")) != nil,
          (try? recipe.validate(source: "")) != nil,
          text == "-0" || !found.contains(where: { $0.recipe == recipe })
        else { continue }
        found.append(("\(field.key)=\(text)", recipe))
      }
      return found
    }
  }
}
