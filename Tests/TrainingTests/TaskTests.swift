// Tasks: every form of a question, what is refused, and scores beside a slow twin.
import Corpus
import Foundation
import Kernels
import Run
import Support
import Testing
import Transformer

@testable import Training

@Suite struct TaskFormTests {
  private func item(_ line: String) throws -> TaskItem {
    try #require([TaskItem](jsonLines: Array(line.utf8), source: "f").first)
  }

  @Test func `our own forms`() throws {
    let choice = try item(#"{"context":"a b","choices":["c","dé"],"answer":1,"id":7}"#)
    #expect(choice.context == "a b" && choice.continuations == [" c", " dé"] && choice.lengths == [1, 2])
    #expect(choice.answer == .choice(1))
    #expect(try item(#"{"context":"a\n","choices":["c","d"],"answer":"d"}"#).continuations == ["c", "d"])
    #expect(try item(#"{"context":"a","choices":["c","d"],"answer":"0"}"#).answer == .choice(0))
    let word = try item(#"{"text":"In the","target":"beginning"}"#)
    #expect(word.context == "In the" && word.continuations == [" beginning"] && word.answer == .word)
  }

  /// What lm-evaluation-harness 0.4 makes of the same lines, by its own configurations.
  @Test func `the fields of known sets`() throws {
    let hellaSwag = try item(
      #"{"activity_label":"Roof shingle removal","ctx_a":"A man is sitting on a roof.","ctx_b":"he","ctx":"x","endings":["is using wrap [step] to wrap  a pair of skis.","[title] starts pulling up roofing."],"label":"1","split":"val"}"#
    )
    #expect(hellaSwag.context == "Roof shingle removal: A man is sitting on a roof. He")
    #expect(hellaSwag.continuations == [" is using wrap to wrap a pair of skis.", "  starts pulling up roofing."])
    #expect(hellaSwag.answer == .choice(1))
    let arc = try item(
      #"{"id":"m","question":"Which is hot?","choices":{"text":["ice","fire"],"label":["A","B"]},"answerKey":"B"}"#)
    #expect(arc.context == "Question: Which is hot?\nAnswer:" && arc.continuations == [" ice", " fire"])
    #expect(arc.answer == .choice(1))
    let published = try item(
      #"{"question":{"stem":"Which is hot?","choices":[{"text":"ice","label":"A"},{"text":"fire","label":"B"}]},"answerKey":"B"}"#
    )
    #expect(published == arc)
    let piqa = try item(#"{"goal":"To boil","sol1":"heat","sol2":"cool","label":0}"#)
    #expect(piqa.context == "Question: To boil\nAnswer:" && piqa.continuations == [" heat", " cool"])
    let sciQ = try item(
      #"{"question":"What?","distractor1":"a","distractor2":"b","distractor3":"c","correct_answer":"d","support":"  Some text."}"#
    )
    #expect(sciQ.context == "Some text.\nQuestion: What?\nAnswer:" && sciQ.answer == .choice(3))
    #expect(sciQ.continuations == [" a", " b", " c", " d"])
    let lambada = try item(#"{"text":"He opened the old door"}"#)
    #expect(lambada.context == "He opened the old" && lambada.continuations == [" door"] && lambada.answer == .word)
  }

  @Test(arguments: [
    ("nonsense", "not valid JSON"), ("[1]", "a JSON object is needed"), (#"{"a":1}"#, "has the keys a"),
    (#"{"context":"a","choices":["c"],"answer":0}"#, "at least 2"),
    (#"{"context":"a","choices":["c",""],"answer":0}"#, "choices[1] is empty"),
    (#"{"context":"a","choices":["c","d"],"answer":2}"#, "answer is 2"),
    (#"{"context":"a","choices":["c","d"],"answer":-1}"#, "answer is -1"),
    (#"{"context":"a","choices":["c","d"],"answer":"e"}"#, "neither a choice nor a number"),
    (#"{"context":"a","choices":["c","d"],"answer":null}"#, "answer is missing"),
    (#"{"context":"a","choices":["c",1],"answer":0}"#, "must be a string"),
    (#"{"context":"a","choices":"c","answer":0}"#, "must be a list"),
    (#"{"context":" ","choices":["c","d"],"answer":0}"#, "the context is empty"),
    (#"{"context":1,"choices":["c","d"],"answer":0}"#, "context must be a string"),
    (#"{"context":"a","context":"b","choices":["c","d"],"answer":0}"#, "comes twice"),
    (#"{"text":"a","target":""}"#, "target is empty"), (#"{"text":"a","target":" b"}"#, "begins with white space"),
    (#"{"text":"alone"}"#, "one word alone"), (#"{"text":"ends with "}"#, "ends with a space"),
    (#"{"question":"q","choices":{"text":["a","b"],"label":["A","B","C"]},"answerKey":"A"}"#, "2 texts and 3 labels"),
    (#"{"question":"q","choices":{"text":["a","b"],"label":["A","B"]},"answerKey":"C"}"#, "not one of the labels"),
    (#"{"question":{"stem":"q","choices":[{"text":"a"}]},"answerKey":"A"}"#, "is missing"),
    (#"{"goal":"g","sol1":"a","sol2":"b"}"#, "label is missing"),
    (#"{"text":"a b","target":"c"}"#, "of another kind"),
  ])
  func `a bad line is refused with its place and the reason`(line: String, reason: String) {
    let good = #"{"context":"a","choices":["c","d"],"answer":0}"#
    do {
      _ = try [TaskItem](jsonLines: Array("\(good)\n\n\(line)\n\(good)\n".utf8), source: "some.jsonl")
      Issue.record("nothing was refused")
    } catch {
      #expect("\(error)".hasPrefix("some.jsonl:3: "), "\(error)")
      #expect("\(error)".contains(reason), "\(error)")
      #expect((error as? UserError)?.status == .data)
    }
  }

  @Test func `a file that is not text in UTF-8 is named as what it is`() {
    let wide: [UInt8] = [0xFF, 0xFE, 0x7B, 0, 0x7D, 0]
    let packed: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0]
    for (bytes, kind) in [(wide, "text in UTF-16LE"), (packed, "compressed (gzip)")] {
      let error = #expect(throws: UserError.self) { try [TaskItem](jsonLines: bytes, source: "f.jsonl") }
      #expect(error?.message.contains("f.jsonl is \(kind)") == true, "\(error?.message ?? "")")
    }
  }

  @Test func `a file without a question is refused`() {
    #expect(throws: UserError.self) { try [TaskItem](jsonLines: Array("\n  \n".utf8), source: "f") }
  }
}

@Suite struct TaskScoreTests {
  /// The log-likelihoods of a continuation by a pass over the whole row, in Double.
  private func twin(_ context: String, _ continuation: String, _ network: TrainedNetwork) -> (Double, Bool) {
    let T = network.model.configuration.context
    // These tokens are bytes: nothing is joined over the bound.
    let whole = Array((context + continuation).utf8).map(Int32.init).suffix(T + 1)
    let count = continuation.utf8.count
    let inputs = Array(whole.dropLast())
    let stride = T + network.model.configuration.streams.count
    let row = inputs + [Int32](repeating: 0, count: network.model.rows * stride - inputs.count)
    row.withUnsafeBufferPointer {
      network.model.forward(TokenRows(tokens: $0.baseAddress!, rows: network.model.rows, context: T, stride: stride))
    }
    var (sum, isGreedy) = (0.0, true)
    for (index, target) in Array(whole.suffix(count)).enumerated() {
      let logits = network.model.logits(
        head: 0, hidden: network.model.hidden(row: 0, position: inputs.count - count + index))
      let top = Double(logits.max()!)
      sum += Double(logits[Int(target)]) - top - log(logits.reduce(0) { $0 + exp(Double($1) - top) })
      isGreedy = isGreedy && logits.firstIndex(of: logits.max()!) == Int(target)
    }
    return (sum, isGreedy)
  }

  @Test func `scores are those of whole rows`() throws {
    let checkpoint = try Tiny.train(Tiny.recipe).checkpoint
    let network = try TrainedNetwork(checkpoint, threads: 2)
    let tokenizer = try Tokenizer(kind: checkpoint.tokenizer.kind, model: checkpoint.tokenizer.model)
    var dice = Dice(for: "tasks")
    let words = ["the", "lookout", "sees", "a", "sail", "and", "calls", "down", "to", "deck"]
    func text(_ count: Int) -> String {
      (0..<count).map { _ in words.randomElement(using: &dice)! }.joined(separator: " ")
    }
    // Contexts that are shorter and longer than the network's, shared beginnings, continuations of one token to many.
    let items = (0..<60).map { line in
      TaskItem(
        line: line + 1, context: text(Int.random(in: 1...5, using: &dice)),
        choices: [text(1), text(2), "s", text(1)].map { String($0.prefix(15)) }, answer: line % 4)
    }
    var results: [TaskResult] = []
    try network.score(TaskSet(items: items, source: "f"), by: tokenizer) {
      results.append($0)
      return true
    }
    #expect(results.count == 60)
    for result in results {
      let expected = result.item.continuations.map { twin(result.item.context, $0, network) }
      for (found, twin) in zip(result.logLikelihoods, expected) { #expect(abs(found - twin.0) < 1e-4) }
      #expect(result.isGreedy == expected.map(\.1))
      #expect(result.choice == expected.indices.max { (expected[$0].0, $1) < (expected[$1].0, $0) })
      let normalized = zip(expected, result.item.lengths).map { $0.0 / Double($1) }
      #expect(result.normalizedChoice == normalized.indices.max { (normalized[$0], $1) < (normalized[$1], $0) })
    }
    let summary = TaskSummary(results)
    #expect(summary.chance == 0.25 && summary.perplexity == nil)
    #expect(summary.accuracy == Double(results.count { $0.choice == ($0.item.line - 1) % 4 }) / 60)
  }

  @Test func `the perplexity of last words is that of their sums, and a word is right as a whole`() throws {
    let checkpoint = try Tiny.train(Tiny.recipe).checkpoint
    let network = try TrainedNetwork(checkpoint, threads: 2)
    let tokenizer = try Tokenizer(kind: checkpoint.tokenizer.kind, model: checkpoint.tokenizer.model)
    let items = [
      TaskItem(line: 1, context: "the lookout sees", word: "a"), TaskItem(line: 2, context: "calls down", word: "to"),
    ]
    var results: [TaskResult] = []
    try network.score(TaskSet(items: items, source: "f"), by: tokenizer) {
      results.append($0)
      return true
    }
    let sums = items.map { twin($0.context, $0.continuations[0], network) }
    let summary = TaskSummary(results)
    let perplexity = try #require(summary.perplexity)
    #expect(abs(log(perplexity) + (sums[0].0 + sums[1].0) / 2) < 1e-4)
    #expect(summary.accuracy == Double(sums.count { $0.1 }) / 2 && summary.normalizedAccuracy == nil)
    #expect(results.map(\.tokens) == [[2], [3]])
  }

  @Test func `a continuation that does not fit is refused with its line`() throws {
    let checkpoint = try Tiny.train(Tiny.recipe).checkpoint
    let network = try TrainedNetwork(checkpoint, threads: 2)
    let tokenizer = try Tokenizer(kind: checkpoint.tokenizer.kind, model: checkpoint.tokenizer.model)
    let item = TaskItem(line: 9, context: "a", word: String(repeating: "b", count: 16))
    #expect(throws: UserError.self) {
      try network.score(TaskSet(items: [item], source: "f"), by: tokenizer) { _ in true }
    }
  }
}
