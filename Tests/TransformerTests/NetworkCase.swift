// The tiny networks that most tests of this target go through.
import Foundation
import Kernels
@testable import Run
import Support
import Testing
import Transformer

/// A tiny network with its batch.
struct NetworkCase: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var vocabulary = 11
  var blocks = 2
  var width = 12
  var heads = 2
  var keyValueHeads = 2
  var inner = 10
  var context = 7
  var isTied = false
  var objectives: [Objective] = [.nextToken(NextToken()), .tokenOrder(TokenOrder(window: 5))]
  var weights: [Float] = [1, 0.5]
  var rows = 2
  var threads = 2
  var chunk: Int?
  var masked = false
  /// Tokens of a document, where there are some.
  var documentLength = 4
  var multiToken: MultiToken?
  var kind = NetworkKind.llama
  var hasHeadNorms = false
  var dropout: Float = 0
  var recomputesBlocks = false
  var ownHeadWidth = 0
  var memory: MemorySize?
  /// Of training, for objectives that change with it.
  var stage: TargetStage?

  /// Each token but the first two begins with the one before it.
  static let prefixes: [Int32] = (0..<11).map { $0 < 2 ? -1 : $0 - 1 }

  /// Objectives that predict single tokens: NTP, and an MTP head each.
  var nextTokens: Int { objectives.count { if case .nextToken = $0 { true } else { false } } }

  /// Tokens that a teacher names at a position; 0 without a teacher.
  var teacherTokens: Int {
    objectives.map { if case .nextToken(let next) = $0 { next.teacherTokens } else { 0 } }.max() ?? 0
  }

  /// D of JTP.
  var joint: Int { objectives.count { if case .jointToken = $0 { true } else { false } } }

  /// JTP's heads for the second to the n-th token.
  static func joint(_ n: Int, gamma: Float = 0.5, learnsEmbeddings: Bool = false) -> [Objective] {
    (2...n).map { .jointToken(JointToken(distance: $0, gamma: gamma, learnsEmbeddings: learnsEmbeddings)) }
  }

  /// NTP, MTP heads up to n, and TOP.
  static func heads(_ n: Int, top: Bool) -> [Objective] {
    (1...n).map { .nextToken(NextToken(distance: $0)) } + (top ? [.tokenOrder(TokenOrder(window: 5))] : [])
  }

  static let all = [
    NetworkCase(testDescription: "NTP and TOP"),
    NetworkCase(testDescription: "NTP alone", objectives: [.nextToken(NextToken())], weights: [1]),
    NetworkCase(testDescription: "TOP alone", objectives: [.tokenOrder(TokenOrder(window: 4))], weights: [2]),
    NetworkCase(testDescription: "tied", isTied: true),
    NetworkCase(testDescription: "tied, NTP alone", isTied: true, objectives: [.nextToken(NextToken())], weights: [1]),
    NetworkCase(testDescription: "grouped keys", width: 16, heads: 4, keyValueHeads: 2),
    NetworkCase(testDescription: "one key for all", width: 24, heads: 3, keyValueHeads: 1, threads: 1),
    NetworkCase(
      testDescription: "sixteens", vocabulary: 32, width: 32, heads: 1, keyValueHeads: 1, inner: 48, context: 16),
    NetworkCase(testDescription: "small chunks", chunk: 3),
    NetworkCase(testDescription: "context 1", context: 1, rows: 3),
    NetworkCase(testDescription: "vocabulary 1", vocabulary: 1),
    NetworkCase(testDescription: "masks and documents", context: 9, masked: true),
    NetworkCase(
      testDescription: "MTP-3 parallel", objectives: heads(3, top: false), weights: [1, 0.5, 0.25],
      multiToken: .parallel),
    NetworkCase(
      testDescription: "MTP-3 sequential", objectives: heads(3, top: false), weights: [1, 0.5, 0.25],
      multiToken: .sequential),
    NetworkCase(
      testDescription: "MTP-2 parallel and TOP, tied", blocks: 3, isTied: true, objectives: heads(2, top: true),
      weights: [1, 0.5, 2], chunk: 5, multiToken: .parallel),
    NetworkCase(
      testDescription: "MTP-3 sequential and TOP, tied", isTied: true, objectives: heads(3, top: true),
      weights: [1, 0.5, 0.3, 2], chunk: 5, multiToken: .sequential),
    NetworkCase(
      testDescription: "MTP-4 sequential with masks and documents, one thread", context: 9,
      objectives: heads(4, top: false), weights: [1, 1, 1, 1], threads: 1, masked: true, multiToken: .sequential),
    NetworkCase(testDescription: "gpt2", kind: .gpt2),
    NetworkCase(
      testDescription: "gpt2 tied, grouped keys of odd width, masks", width: 12, heads: 4, keyValueHeads: 2, context: 9,
      isTied: true, chunk: 3, masked: true, kind: .gpt2),
    NetworkCase(
      testDescription: "gpt2 in sixteens", vocabulary: 32, width: 32, heads: 2, inner: 48, context: 16,
      objectives: [.nextToken(NextToken())], weights: [1], threads: 3, kind: .gpt2),
    NetworkCase(
      testDescription: "gpt2, MTP-3 parallel and TOP", blocks: 2, isTied: true, objectives: heads(3, top: true),
      weights: [1, 0.5, 0.3, 2], multiToken: .parallel, kind: .gpt2),
    NetworkCase(
      testDescription: "gpt2, MTP-3 sequential and TOP", objectives: heads(3, top: true), weights: [1, 0.5, 0.3, 2],
      multiToken: .sequential, kind: .gpt2),
    NetworkCase(testDescription: "normed queries and keys", width: 24, heads: 4, keyValueHeads: 2, hasHeadNorms: true),
    NetworkCase(
      testDescription: "normed queries and keys, MTP-2 sequential", width: 32, heads: 2, keyValueHeads: 1, context: 16,
      objectives: heads(2, top: false), weights: [1, 1], threads: 1, multiToken: .sequential, hasHeadNorms: true),
    NetworkCase(testDescription: "heads wider than their share", ownHeadWidth: 10),
    NetworkCase(
      testDescription: "narrow heads that do not divide the width, normed, grouped, computed again", width: 14,
      heads: 4,
      keyValueHeads: 2, hasHeadNorms: true, recomputesBlocks: true, ownHeadWidth: 2),
    NetworkCase(
      testDescription: "wide normed heads, documents, dropout, MTP-2 sequential", width: 16, heads: 3, keyValueHeads: 1,
      context: 9, objectives: heads(2, top: true), weights: [1, 1, 1], masked: true, multiToken: .sequential,
      hasHeadNorms: true, dropout: 0.2, ownHeadWidth: 16),
    NetworkCase(testDescription: "dropout", dropout: 0.3),
    NetworkCase(
      testDescription: "gpt2 with dropout, MTP-3 sequential, computed again", objectives: heads(3, top: true),
      weights: [1, 0.5, 0.3, 2], multiToken: .sequential, kind: .gpt2, dropout: 0.2, recomputesBlocks: true),
    NetworkCase(
      testDescription: "dropout, MTP-3 parallel, computed again", objectives: heads(3, top: false),
      weights: [1, 0.5, 0.3], threads: 1, multiToken: .parallel, dropout: 0.2, recomputesBlocks: true),
    NetworkCase(
      testDescription: "parallel heads for 1, 2 and 4",
      objectives: [.nextToken(NextToken()), .nextToken(NextToken(distance: 2)), .nextToken(NextToken(distance: 4))],
      weights: [1, 0.5, 1], multiToken: .parallel),
    NetworkCase(
      testDescription: "MTP-2 parallel with masks and documents", context: 9, objectives: heads(2, top: true),
      weights: [1, 1, 1], masked: true, multiToken: .parallel),
    NetworkCase(
      testDescription: "the discounted future",
      objectives: [.nextToken(NextToken()), .discountedFuture(DiscountedFuture(discount: 0.7))]),
    NetworkCase(
      testDescription: "the whole future alone, masks and documents, small chunks", context: 9,
      objectives: [.discountedFuture(DiscountedFuture(discount: 1))], weights: [1.5], chunk: 4, masked: true),
    NetworkCase(
      testDescription: "gpt2, tied, with the future, a bag and TOP, of odd width, one row", width: 18, heads: 3,
      keyValueHeads: 3, isTied: true,
      objectives: [
        .nextToken(NextToken()), .discountedFuture(DiscountedFuture(discount: 0.5)), .bag(BagOfTokens(window: 4)),
        .tokenOrder(TokenOrder(window: 4)),
      ], weights: [1, 0.3, 0.2, 0.5], rows: 1, kind: .gpt2),
    NetworkCase(
      testDescription: "a bag, masks and documents, MTP-2 sequential, dropout", context: 9,
      objectives: heads(2, top: false) + [.bag(BagOfTokens(window: 3))], weights: [1, 0.5, 0.4], masked: true,
      multiToken: .sequential, dropout: 0.2),
    NetworkCase(
      testDescription: "tokens further ahead and prefixes on NTP's head, masks and documents", context: 9,
      objectives: [.nextToken(NextToken(ahead: 3, isShaped: true)), .tokenOrder(TokenOrder(window: 4))], masked: true,
      stage: TargetStage(progress: 0.2, prefix: 0.25, prefixes: prefixes)),
    NetworkCase(
      testDescription: "weights by the prediction, MTP-2 parallel, small chunks",
      objectives: [.nextToken(NextToken(isShaped: true)), .nextToken(NextToken(distance: 2))], weights: [1, 0.5],
      chunk: 5, multiToken: .parallel,
      stage: TargetStage(progress: 0.9, shape: WeightShape(beta: -0.25, head: 0.1, tail: -0.2, likeliest: 3))),
    NetworkCase(
      testDescription: "further targets, their mean, weights by the prediction",
      objectives: [.nextToken(NextToken(ahead: 2, isShaped: true))], weights: [1],
      stage: TargetStage(progress: 0.1, isMean: true, shape: WeightShape(beta: 0.5, head: 0.1, likeliest: 4))),
    NetworkCase(
      testDescription: "a teacher of three tokens, masks and documents, and TOP", context: 9,
      objectives: [.nextToken(NextToken(isShaped: true, teacherTokens: 3)), .tokenOrder(TokenOrder(window: 4))],
      masked: true, stage: TargetStage(progress: 0.2, teacher: 0.7)),
    NetworkCase(
      testDescription: "a teacher of all tokens but one, alone, small chunks, MTP-2 parallel",
      objectives: [
        .nextToken(NextToken(isShaped: true, teacherTokens: 10)), .nextToken(NextToken(distance: 2)),
      ], weights: [1, 0.5], chunk: 4, multiToken: .parallel, stage: TargetStage(progress: 0.2, teacher: 1)),
    NetworkCase(
      testDescription: "JTP-4", objectives: heads(1, top: false) + joint(4), weights: [1, 0.5, 0.4, 0.3]),
    NetworkCase(
      testDescription: "JTP-3 whose embeddings learn, tied, and TOP, masks and documents, small chunks", context: 9,
      isTied: true, objectives: heads(1, top: true) + joint(3, gamma: 0.8, learnsEmbeddings: true),
      weights: [1, 2, 0.5, 0.5], chunk: 4, masked: true),
    NetworkCase(
      testDescription: "gpt2, JTP-2 whose embeddings learn, MTP-3 sequential, TOP, dropout, computed again",
      objectives: heads(3, top: true) + joint(2, learnsEmbeddings: true), weights: [1, 0.5, 0.3, 2, 1],
      multiToken: .sequential, kind: .gpt2, dropout: 0.2, recomputesBlocks: true),
    NetworkCase(
      testDescription: "JTP-6 beside MTP-3 parallel, one thread",
      objectives: heads(3, top: false) + joint(6, gamma: 1.5),
      weights: [1, 0.5, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2], threads: 1, multiToken: .parallel),
    NetworkCase(
      testDescription: "JTP-3 in sixteens, one row", vocabulary: 32, width: 32, heads: 1, keyValueHeads: 1, inner: 48,
      context: 16, objectives: heads(1, top: false) + joint(3), weights: [1, 1, 1], rows: 1),
    NetworkCase(
      testDescription: "memory",
      memory: MemorySize(keys: 7, keyWidth: 6, top: 5, candidates: 4, valueWidth: 6, preWidth: 3)),
    NetworkCase(
      testDescription: "memory of two heads, product keys and plain values, MTP-3 sequential, documents, dropout",
      context: 9, objectives: heads(3, top: true), weights: [1, 0.5, 0.3, 2], masked: true, multiToken: .sequential,
      dropout: 0.2,
      memory: MemorySize(
        keys: 5, keyWidth: 5, top: 4, candidates: 3, heads: 2, cores: 0, rank: 1, valueWidth: 7, preWidth: 0)),
    NetworkCase(
      testDescription: "gpt2 with memory in some blocks, rank 3, all keys candidates, MTP-3 parallel", blocks: 3,
      objectives: heads(3, top: false), weights: [1, 0.5, 0.3], multiToken: .parallel, kind: .gpt2,
      memory: MemorySize(
        keys: 3, keyWidth: 17, top: 9, candidates: 3, cores: 1, rank: 3, valueWidth: 20, preWidth: 4, blocks: [1, 2, 4])
    ),
    NetworkCase(
      testDescription: "memory of two heads, dropout, computed again", dropout: 0.2, recomputesBlocks: true,
      memory: MemorySize(
        keys: 20, keyWidth: 16, top: 8, candidates: 5, heads: 2, cores: 2, rank: 2, valueWidth: 32, preWidth: 16)),
  ]

  var configuration: Configuration {
    Configuration(
      NetworkSize(
        kind: kind, vocabulary: vocabulary, blocks: blocks, width: width, heads: heads, keyValueHeads: keyValueHeads,
        ownHeadWidth: ownHeadWidth, inner: inner, context: context, isTied: isTied, hasHeadNorms: hasHeadNorms,
        memory: memory),
      epsilon: kind == .gpt2 ? 1e-5 : 1e-6, dropout: dropout, recomputesBlocks: recomputesBlocks,
      objectives: objectives, multiToken: multiToken)
  }
}

extension NetworkCase {
  /// The gradients of a network with certain weights on these rows, by tensor.
  func gradients(on data: Rows, threads: Int) throws -> [String: [Float]] {
    let model = try Transformer(NetworkPlan(configuration, rows: rows, precision: .fp32, threads: threads))
    model.shake(3)
    _ = model.learn(data, weights: weights)
    return model.tensors(model.parameters.gradients)
  }
}
