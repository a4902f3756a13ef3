// The list of a network's tensors, in the order in which parameters lie in memory.

extension NetworkShape {
  /// All tensors.
  package var tensors: [TensorDescription] {
    var list = TensorList(style: size.kind.style)
    let names = size.kind.style.names
    if !size.isTied { list.add(names.embedding, [size.vocabulary, size.width], .embedding) }
    if size.kind.style.learnsPositions { list.add(names.positions, [size.context, size.width], .positions) }
    for number in 0..<max(0, size.blocks) {
      list.section = .block(number)
      size.addBlock("\(names.layers)/\(number)", number: number, to: &list)
    }
    for number in 0..<furtherHeads {
      list.section = .furtherHead(number)
      let layer = Self.furtherHead(number)
      size.addBlock(layer, number: size.blocks + number, to: &list)
      if isSequential {
        list.addNorm("\(layer)/hnorm", size.width)
        list.addNorm("\(layer)/enorm", size.width)
        list.addLinear(["\(layer)/eh_proj"], out: [size.width], in: 2 * size.width, .joint)
      }
    }
    list.section = .heads
    list.addNorm(names.finalNorm, size.width)
    for (index, name) in unembeddings.enumerated() {
      // A tied embedding stands where its head's unembedding would, so that all unembeddings stay one matrix.
      let isEmbedding = size.isTied && index == 0
      list.add(
        isEmbedding ? names.embedding : name, [size.vocabulary, size.width], isEmbedding ? .embedding : .unembedding,
        isJoined: index > 0)
    }
    if hasFetch {
      for (index, name) in Self.fetchIn.enumerated() {
        list.add(name, [size.width, size.width], .fetchIn, isJoined: index > 0)
      }
      list.add(Self.fetchOut, [size.width, size.width], .fetchOut, start: .zeros)
    }
    list.section = .memory
    for layer in memoryLayers { size.addMemoryTable(layer, to: &list) }
    return list.tensors
  }

  /// Fetch's matrices for queries, keys and values, and that of what it adds to the state.
  package static let fetchIn = ["jtp/q_proj", "jtp/k_proj", "jtp/v_proj"]
  package static let fetchOut = "jtp/o_proj"

  /// What the tensors of each memory layer lie below, in the order of blocks.
  package var memoryLayers: [String] {
    guard let memory = size.memory else { return [] }
    let layers =
      (0..<max(0, size.blocks)).map { "\(size.kind.style.names.layers)/\($0)" }
      + (0..<furtherHeads).map { Self.furtherHead($0) }
    return layers.indices.filter { memory.isIn(block: $0) }.map { "\(layers[$0])/memory" }
  }

  /// What the tensors of the k-th MTP head beyond the first, k = 0, 1, …, lie below.
  package static func furtherHead(_ number: Int) -> String { "mtp/heads/\(number)" }
}

extension NetworkSize {
  /// The branches of a block: a norm and what it is followed by.
  fileprivate func addBlock(_ layer: String, number: Int, to list: inout TensorList) {
    addAttention(layer, to: &list)
    addFeedForward(layer, to: &list)
    if memory?.isIn(block: number) == true { addMemory("\(layer)/memory", to: &list) }
  }

  /// A memory layer without its table. No part of it has a bias.
  private func addMemory(_ layer: String, to list: inout TensorList) {
    guard let memory else { return }
    let keyWidth = memory.keyWidth
    list.add("\(layer)/query", [memory.queries * keyWidth, width], .memoryQuery)
    list.add("\(layer)/keys", [memory.heads * memory.queries * memory.keys, keyWidth], .memoryKeys, start: .keys)
    for name in ["query_norm", "key_norm"] { list.add("\(layer)/\(name)", [keyWidth], .norm, start: .calibrated) }
    if memory.cores > 0 {
      list.add(
        "\(layer)/cores", [memory.heads * memory.cores * memory.rank, memory.rank], .memoryCores, start: .uniform)
    }
    list.add("\(layer)/filter", [memory.heads * memory.queries], .memoryFilter, start: .calibrated)
    if memory.preWidth > 0 { list.add("\(layer)/pre_proj", [memory.preWidth, width], .memoryIn) }
    list.add("\(layer)/out_proj", [width, memory.valueWidth], .memoryOut)
  }

  /// - Parameter layer: of the memory layer.
  fileprivate func addMemoryTable(_ layer: String, to list: inout TensorList) {
    guard let memory else { return }
    list.add("\(layer)/table", [memory.rows, memory.rowWidth], .memoryTable, start: .calibrated)
  }

  private func addAttention(_ layer: String, to list: inout TensorList) {
    let names = kind.style.names
    list.addNorm("\(layer)/\(names.attentionNorm)", width)
    list.addLinear(
      names.attentionIn.map { "\(layer)/\($0)" },
      out: names.attentionIn.count == 1 ? [queryWidth + 2 * keyWidth] : [queryWidth, keyWidth, keyWidth], in: width,
      .attentionIn)
    if hasHeadNorms {
      for name in [names.queryNorm, names.keyNorm] { list.add("\(layer)/\(name)", [headWidth], .norm, start: .ones) }
    }
    list.addLinear(["\(layer)/\(names.attentionOut)"], out: [width], in: queryWidth, .attentionOut, start: .residual)
  }

  private func addFeedForward(_ layer: String, to list: inout TensorList) {
    let names = kind.style.names
    list.addNorm("\(layer)/\(names.feedForwardNorm)", width)
    list.addLinear(
      names.feedForwardIn.map { "\(layer)/\($0)" }, out: names.feedForwardIn.map { _ in inner }, in: width,
      .feedForwardIn)
    list.addLinear(["\(layer)/\(names.feedForwardOut)"], out: [width], in: inner, .feedForwardOut, start: .residual)
  }
}

/// Descriptions as they are added.
private struct TensorList {
  let style: NetworkStyle
  var section = TensorGroup.tables
  private(set) var tensors: [TensorDescription] = []

  init(style: NetworkStyle) { self.style = style }

  /// A weight without a bias.
  mutating func add(
    _ name: String, _ shape: [Int], _ role: TensorRole, start: InitialValues = .normal,
    isJoined: Bool = false
  ) {
    tensors.append(
      TensorDescription(
        path: "\(name)/weight", shape: shape, role: role, section: section, start: start, isJoined: isJoined))
  }

  /// One matrix of several tensors below each other, then its bias where the network has biases.
  mutating func addLinear(
    _ names: [String], out: [Int], in width: Int, _ role: TensorRole,
    start: InitialValues = .normal
  ) {
    for (index, name) in names.enumerated() {
      add(name, [out[index], width], role, start: start, isJoined: index > 0)
    }
    guard style.hasBiases else { return }
    for (index, name) in names.enumerated() { addBias(name, out[index], isJoined: index > 0) }
  }

  mutating func addNorm(_ name: String, _ width: Int) {
    add(name, [width], .norm, start: .ones)
    if style.hasBiases { addBias(name, width) }
  }

  private mutating func addBias(_ name: String, _ count: Int, isJoined: Bool = false) {
    tensors.append(
      TensorDescription(
        path: "\(name)/bias", shape: [count], role: .bias, section: section, start: .zeros, isJoined: isJoined))
  }
}
