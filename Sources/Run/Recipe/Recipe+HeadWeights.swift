// The keys of weights that follow from the table of heads alone.

extension [Recipe.Field] {
  /// These keys and, after the last of `objective`, the weights of those heads that have no key here.
  func addingWeights(of kinds: [HeadKind]) -> [Recipe.Field] {
    let keys = Set(map(\.key))
    let weights = kinds.compactMap { keys.contains($0.weightKey) ? nil : Recipe.weightField(of: $0) }
    guard let end = lastIndex(where: { $0.section == "objective" }) else { return self + weights }
    return self[...end] + weights + self[(end + 1)...]
  }
}

extension Recipe {
  /// - Returns: nil for a kind whose heads have a weight each.
  fileprivate static func weightField(of kind: HeadKind) -> Field? {
    guard case .number(let path) = kind.weight else { return nil }
    return number(
      kind.weightKey, path, .including(0), .including(100), "weight of the loss “\(kind.name)”; 0: no such head")
  }
}
