// Fetch: what JTP's heads read coming tokens by. The slots of a position are its own token and the D that follow, and nothing else is
// seen: the state must know all the rest (arXiv 2503.21801; its formulas from a third party's code, see docs/objectives.md).
//   v_j = γ h_t + Emb(x[t+j]),  j = 0 … D;   o_i = h_t + W_O Attention(v_0 … v_i),  i = 1 … D;   p_i = softmax(U o_i) of x[t+1+i]
// Queries, keys and values are linear in v, without a norm: both parts of v are projected once a position, and added by the
// kernel. W_O begins at 0, where every p_i is NTP's prediction. Letters: M positions, N embedded tokens: D more than positions a row.
import Kernels
import Run

/// Where a shard's Fetch has its buffers; those of the way back are empty where nothing is trained.
struct FetchPlaces: Sendable {
  let slots: Int
  let settings: JointToken
  /// N.
  let tokens: Int
  let inputs: OperandPlace  // E [M + N, d]: γ h, then Emb
  let projected: FloatPlace  // [M + N, 3d]
  let attended: OperandPlace  // E [D · M, d]
  let states: OperandPlace  // E [D · M, d]: o
  let dStates: OperandPlace  // E [D · M, d]
  let dAttended: OperandPlace  // E [D · M, d]
  let dProjected: OperandPlace  // E [M + N, 3d]
  let dInputs: OperandPlace  // E [M, d], or [M + N, d] where embeddings learn
  let dEmbedded: FloatPlace  // [N, d] where embeddings learn
  let ring: FloatPlace  // [threads, D + 1, 3d]

  init(_ room: BranchRoom, slots: Int, _ settings: JointToken, in layout: inout ArenaLayout) {
    let (d, M, E) = (room.configuration.width, room.positions, room.precision)
    let N = M + room.rows * slots
    let learning = settings.learnsEmbeddings ? N : 0
    func trained(_ count: Int) -> Int { room.isTrained ? count : 0 }
    self.slots = slots
    self.settings = settings
    tokens = N
    inputs = layout.operands((M + N) * d, E)
    projected = layout.floats((M + N) * 3 * d)
    attended = layout.operands(slots * M * d, E)
    states = layout.operands(slots * M * d, E)
    dStates = layout.operands(trained(slots * M * d), E)
    dAttended = layout.operands(trained(slots * M * d), E)
    dProjected = layout.operands(trained((M + N) * 3 * d), E)
    dInputs = layout.operands(trained((M + learning) * d), E)
    dEmbedded = layout.floats(trained(learning * d))
    ring = layout.floats(trained(room.threads * (slots + 1) * 3 * d))
  }
}

/// The products of a shard's Fetch.
struct Fetch {
  let places: FetchPlaces
  /// JTP's heads as indices of objectives, a slot each.
  let heads: [Int]
  /// [3d, d]: queries, keys and values of all M + N rows.
  let input: Linear
  /// The same, whose way back to its input ends after as many rows as learn.
  let learning: Linear
  /// [d, d].
  let output: Linear

  init(
    _ site: BranchSite, at places: FetchPlaces, _ affines: (input: Affine, output: Affine)?
  ) throws(ProductError) {
    guard let affines else { preconditionFailure("a network with JTP has Fetch's matrices") }
    let d = site.configuration.width
    let M = site.rows.count * site.configuration.context
    func linear(_ affine: Affine, rows: Int, out: Int, isFloat: Bool) throws(ProductError) -> Linear {
      try Linear(
        at: affine, rows: rows, out: out, in: d, precision: site.precision,
        y: isFloat ? ProductShape.Operand(stride: out, precision: .fp32) : nil, addsToOutput: !isFloat,
        isTrained: site.isTrained, products: site.products)
    }
    self.places = places
    heads = site.configuration.joint?.heads ?? []
    input = try linear(affines.input, rows: M + places.tokens, out: 3 * d, isFloat: true)
    learning =
      places.settings.learnsEmbeddings ? input : try linear(affines.input, rows: M, out: 3 * d, isFloat: true)
    output = try linear(affines.output, rows: places.slots * M, out: d, isFloat: false)
  }
}

extension Configuration {
  /// Floating-point operations of Fetch for a token, forward and backward, without the unembeddings; 0 without JTP.
  package var fetchOperations: Double {
    guard let joint else { return 0 }
    let d = Double(size.width)
    let D = Double(joint.heads.count)
    // States go back; embeddings only where they learn.
    let perWeight: Double = joint.settings.learnsEmbeddings ? 12 : 10
    let input = perWeight * 3 * d * d
    // Slot i looks at i + 1 slots: a dot product and a sum each.
    let pairs = D * (D + 3) / 2
    let output = D * d * d + pairs * 2 * d
    return input + 6 * output
  }

  /// How often a matrix of that role is multiplied with in a pass, for a token.
  package func uses(of role: TensorRole) -> Int {
    switch role {
    case .fetchIn: 2
    case .fetchOut: joint?.heads.count ?? 0
    default: 1
    }
  }
}

extension Shard {
  /// JTP's heads on the trunk's hidden states; nothing without JTP. With gradients, those at the hidden states are added to what the
  /// trunk's own heads left.
  /// - Parameter accumulates: whether Fetch's products add to the gradients that are there.
  func predictJointly(_ batch: TokenRows, _ pass: HeadPass, accumulates: Bool) {
    guard let fetch else { return }
    let places = fetch.places
    let d = configuration.width
    let hidden = operand(arena[self.places.hidden])
    let attention = self.attention(of: fetch)
    let parameters = parameters(leaving: layout.headSection)
    let inputs = Matrix(arena[places.inputs], rows: positions + places.tokens, columns: d, precision: precision)
    let states = Matrix(arena[places.states], rows: places.slots * positions, columns: d, precision: precision)
    StepPart.tables.measured(bytes: (inputs.rows + states.rows) * d * 2 * precision.bytes) {
      attention.gather(
        hidden, table: parameters.operand(layout.embedding), tokens: batch.tokens, stride: batch.stride,
        gamma: places.settings.gamma, into: inputs, states: states, threads: threads)
    }
    fetch.input.forward(parameters, x: inputs.base, y: UnsafeMutableRawPointer(arena[places.projected]))
    let projected = Matrix(arena[places.projected], rows: inputs.rows, columns: 3 * d)
    let attended = Matrix(arena[places.attended], rows: states.rows, columns: d, precision: precision)
    StepPart.attention.measured { attention.forward(projected, into: attended, threads: threads) }
    fetch.output.forward(parameters, x: attended.base, y: states.base)
    let dStates = Matrix(arena[places.dStates], rows: states.rows, columns: d, precision: precision)
    for (slot, objective) in fetch.heads.enumerated() {
      predict(
        [objective], isTrunk: false, hidden: states.at(slot * positions, 0), dHidden: dStates.at(slot * positions, 0),
        pass, accumulates: true)
    }
    guard pass.factors != nil else { return }
    let dAttended = Matrix(arena[places.dAttended], rows: states.rows, columns: d, precision: precision)
    fetch.output.backward(
      parameters, dy: dStates.base, x: attended.base, dx: dAttended.base, accumulates: accumulates)
    let dProjected = Matrix(arena[places.dProjected], rows: inputs.rows, columns: 3 * d, precision: precision)
    StepPart.attention.measured {
      attention.backward(projected, dAttended, into: dProjected, ring: arena[places.ring], threads: threads)
    }
    fetch.input.backwardWeight(parameters, dy: dProjected.base, x: inputs.base, accumulates: accumulates)
    fetch.learning.backwardInput(parameters, dy: dProjected.base, dx: arena[places.dInputs])
    let learns = places.settings.learnsEmbeddings
    let dInputs = Matrix(
      arena[places.dInputs], rows: positions + (learns ? places.tokens : 0), columns: d, precision: precision)
    StepPart.sums.measured(bytes: (places.slots + 3) * positions * d * precision.bytes) {
      attention.addGradients(
        dStates, dInputs, gamma: places.settings.gamma, to: operand(arena[self.places.dHidden]),
        embedded: learns ? Matrix(arena[places.dEmbedded], rows: places.tokens, columns: d) : nil, threads: threads)
    }
  }

  /// From the gradient at the embeddings that Fetch read to that of the table, which shards add to in turn.
  /// - Parameters:
  ///   - all: the network's parameters, with its own gradients.
  ///   - threads: those that share out this work.
  func backwardComingTokens(_ batch: TokenRows, into all: ParameterView, threads: Int) {
    guard let places = fetch?.places else { return }
    let dEmbedded = Matrix(arena[places.dEmbedded], rows: places.tokens, columns: configuration.width)
    StepPart.tables.measured(bytes: 12 * dEmbedded.rows * dEmbedded.columns) {
      Embedding.backward(
        dEmbedded, tokens: batch.tokens, context: batch.context + places.slots, stride: batch.stride,
        dTable: all.gradient(layout.embedding), threads: threads)
    }
  }

  private func attention(of fetch: Fetch) -> SlotAttention {
    SlotAttention(
      rows: rows.count, context: configuration.context, slots: fetch.places.slots, width: configuration.width)
  }
}
