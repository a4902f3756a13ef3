// Documents in the order of their likeness, and without near duplicates.
import Foundation
import Run
import Support
import Testing

@testable import Corpus

@Suite struct DocumentOrderTests {
  /// Documents of made-up topics as tokens: a topic has words of its own, and all share frequent ones.
  private struct Topics {
    let part: TokenRange
    let ranges: [Range<Int>]
    let topics: [Int]
    static let vocabulary = 5000

    init(_ count: Int, topics: Int, length: ClosedRange<Int> = 60...200, purpose: String) {
      var dice = Dice(for: purpose)
      var (tokens, starts, chosen): ([Int32], [Int], [Int]) = ([], [], [])
      for _ in 0..<count {
        let topic = Int.random(in: 0..<topics, using: &dice)
        starts.append(tokens.count)
        chosen.append(topic)
        for _ in 0..<Int.random(in: length, using: &dice) {
          switch Int.random(in: 0..<10, using: &dice) {
          case 0..<5: tokens.append(Int32.random(in: 0..<12, using: &dice))
          case 5..<8: tokens.append(Int32(100 + 40 * topic + Int.random(in: 0..<40, using: &dice)))
          default: tokens.append(Int32.random(in: 3000..<5000, using: &dice))
          }
        }
      }
      part = TokenRange(tokens, documents: starts)
      ranges = part.documentRanges
      self.topics = chosen
    }
  }

  @Test func `neighbours are those of a slow look at all pairs`() throws {
    let topics = Topics(150, topics: 40, length: 20...60, purpose: "slow neighbours")
    let terms = try DocumentTerms(of: topics.part, topics.ranges, vocabulary: Topics.vocabulary)
    let neighbours = DocumentNeighbours(of: terms)
    // TF-IDF once more, as the definition says, in Double.
    let documents = try topics.ranges.map { try topics.part.tokens($0) }
    var counts: [Int32: Int] = [:]
    var found: [Int32: Int] = [:]
    for document in documents {
      for token in document { counts[token, default: 0] += 1 }
      for token in Set(document) { found[token, default: 0] += 1 }
    }
    let total = counts.values.reduce(0, +)
    var function: Set<Int32> = []
    var taken = 0
    for (token, count) in counts.sorted(by: { ($0.value, $1.key) > ($1.value, $0.key) })
    where Double(taken) < 0.4 * Double(total) {
      function.insert(token)
      taken += count
    }
    let vectors = documents.map { document -> [Int32: Double] in
      var vector: [Int32: Double] = [:]
      for (token, tf) in Dictionary(grouping: document, by: { $0 }).mapValues(\.count)
      where !function.contains(token) && found[token]! <= 10 {
        vector[token] = (1 + log(Double(tf))) * log(Double(documents.count) / Double(found[token]!))
      }
      let norm = vector.values.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return vector.mapValues { $0 / norm }
    }
    var seen = 0
    for a in documents.indices {
      let cosines = documents.indices.filter { $0 != a }.map { b in
        vectors[a].reduce(0) { $0 + $1.value * (vectors[b][$1.key] ?? 0) }
      }.filter { $0 > 0 }.sorted(by: >)
      let near = neighbours[a]
      #expect(near.count == min(cosines.count, 10), "\(a), \(Trial.note)")
      for (one, expected) in zip(near, cosines) {
        #expect(abs(Double(one.cosine) - expected) < 1e-5, "\(a), \(Trial.note)")
        seen += 1
      }
    }
    #expect(seen > 1000)
  }

  @Test func `the walk visits every document once, and like ones follow each other`() throws {
    let topics = Topics(900, topics: 60, purpose: "walk")
    let terms = try DocumentTerms(of: topics.part, topics.ranges, vocabulary: Topics.vocabulary)
    let order = RelatedWalk.order(by: DocumentNeighbours(of: terms)).map { Int($0) }
    #expect(order.sorted() == Array(0..<900))
    func adjacent(_ order: [Int]) -> (cosine: Double, same: Double) {
      let pairs = Array(zip(order, order.dropFirst()))
      let cosine = pairs.reduce(0) { $0 + Double(terms.cosine($1.0, $1.1)) }
      let same = pairs.count { topics.topics[$0.0] == topics.topics[$0.1] }
      return (cosine / Double(pairs.count), Double(same) / Double(pairs.count))
    }
    var dice = Dice(for: "shuffled documents")
    let (walked, shuffled) = (adjacent(order), adjacent(Array(0..<900).shuffled(using: &dice)))
    #expect(walked.cosine > 8 * shuffled.cosine, "\(walked) and \(shuffled), \(Trial.note)")
    #expect(walked.same > 0.8 && shuffled.same < 0.1, "\(walked) and \(shuffled), \(Trial.note)")
  }

  @Test func `a small walk goes as it says`() {
    func row(_ near: [(Int32, Float)]) -> ([Int32], [Float]) {
      let rest = DocumentNeighbours.most - near.count
      return (near.map(\.0) + Array(repeating: -1, count: rest), near.map(\.1) + Array(repeating: 0, count: rest))
    }
    // 3 has no connection; 4 has one, to 0; 0, 1 and 2 have all others. 0 goes to the most similar.
    let rows = [row([(1, 0.5), (2, 0.6)]), row([(2, 0.4), (0, 0.5)]), row([(0, 0.6)]), row([]), row([(0, 0.1)])]
    let neighbours = DocumentNeighbours(documents: rows.flatMap(\.0), cosines: rows.flatMap(\.1))
    #expect(RelatedWalk.order(by: neighbours) == [3, 4, 0, 2, 1])
  }

  @Test func `near duplicates are found, and no others`() throws {
    var dice = Dice(for: "duplicates")
    func document(_ count: Int) -> [Int32] { (0..<count).map { _ in Int32.random(in: 0..<400, using: &dice) } }
    let first = document(400)
    var nearly = first
    // Each changed token changes five of the 396 elements.
    for place in [50, 150, 250, 350] { nearly[place] = 499 }
    var far = first
    for place in stride(from: 0, to: 400, by: 10) { far[place] = 499 }
    let others = (0..<40).map { _ in document(300) }
    let documents = [first, document(3), nearly, far] + others + [first + [7], document(3)]
    var starts: [Int] = []
    var tokens: [Int32] = []
    for document in documents {
      starts.append(tokens.count)
      tokens += document
    }
    let part = TokenRange(tokens, documents: starts)
    let originals = try NearDuplicates.find(in: part, part.documentRanges)
    var expected = [Int32](repeating: -1, count: documents.count)
    expected[2] = 0
    expected[44] = 0
    #expect(originals == expected, "\(Trial.note)")
    func exact(_ a: [Int32], _ b: [Int32]) -> Double {
      func set(_ list: [Int32]) -> Set<[Int32]> { Set((0...list.count - 5).map { Array(list[$0..<$0 + 5]) }) }
      return Double(set(a).intersection(set(b)).count) / Double(set(a).union(set(b)).count)
    }
    for other in [nearly, far, first + [7], others[0]] {
      // Four standard errors of a share of 128.
      #expect(abs(NearDuplicates.similarity(first, other) - exact(first, other)) < 0.18, "\(Trial.note)")
    }
  }

  // MARK: Corpora

  /// A text of short documents with topics of their own letters, some of them twice, and its source.
  private func source(_ folder: CacheFolder, _ change: (inout Corpus.Source) -> Void) throws -> Corpus.Source {
    var dice = Dice(1)
    var documents: [String] = []
    let letters = Array("abcdefghijklmnopqrstuvwxyz")
    for number in 0..<80 {
      let own = letters[3 * (number % 8)..<3 * (number % 8) + 3]
      documents.append(
        String((0..<60).map { _ in Bool.random(using: &dice) ? own.randomElement(using: &dice)! : "." }) + "|")
      if number % 20 == 19 { documents.append(documents[number - 10]) }
    }
    let file = folder.url.appending(path: "topics.txt")
    try Data(documents.joined().utf8).write(to: file)
    var source = Corpus.Source(
      paths: [file.path()], kind: .bytes, heldOut: 0.1, context: 32, documents: DocumentBounds(separator: "|"),
      cache: folder.url.appending(path: "cache").path())
    change(&source)
    return source
  }

  private func documents(of part: TokenRange) throws -> [[Int32]] {
    try part.documentRanges.map { try part.tokens($0) }
  }

  @Test func `every order has the kept documents, and the held-out part stays`() throws {
    let folder = CacheFolder()
    let plain = try Corpus(opening: source(folder) { _ in })
    #expect(plain.related == nil)
    let all = try documents(of: plain.training)
    #expect(all.count > 70 && Set(all).count < all.count)
    let kept = try Corpus(opening: source(folder) { $0.deduplicates = true })
    let once = try documents(of: kept.training)
    #expect(once == all.enumerated().filter { index, document in !all[..<index].contains(document) }.map(\.element))
    #expect(kept.summary.contains("left out as duplicates"))
    #expect(kept.frequencies.reduce(0, +) == kept.training.count)
    for (token, count) in kept.frequencies.enumerated() {
      #expect(count == once.joined().count { $0 == token })
    }
    var orders: [[[Int32]]] = [once]
    for order in [Recipe.DataSettings.DocumentOrder.random, .related] {
      let corpus = try Corpus(
        opening: source(folder) {
          $0.deduplicates = true
          $0.order = order
        })
      let found = try documents(of: corpus.training)
      #expect(
        found.map { $0.map(Int.init) }.sorted { $0.lexicographicallyPrecedes($1) }
          == once.map { $0.map(Int.init) }.sorted { $0.lexicographicallyPrecedes($1) })
      #expect(!orders.contains(found))
      orders.append(found)
      #expect(try corpus.heldOut.tokens(0..<corpus.heldOut.count) == plain.heldOut.tokens(0..<plain.heldOut.count))
      // Any stretch is what the whole has there.
      let whole = try corpus.training.tokens(0..<corpus.training.count)
      for first in stride(from: 0, to: whole.count - 200, by: 97) {
        #expect(try corpus.training.tokens(first..<first + 200) == Array(whole[first..<first + 200]))
      }
    }
  }

  @Test func `a random order follows from the seed, the related one from the text alone`() throws {
    let folder = CacheFolder()
    func order(_ order: Recipe.DataSettings.DocumentOrder, seed: UInt64) throws -> [[Int32]] {
      try documents(
        of: Corpus(
          opening: source(folder) {
            $0.order = order
            $0.seed = seed
          }
        ).training)
    }
    #expect(try order(.random, seed: 1) == order(.random, seed: 1))
    #expect(try order(.random, seed: 1) != order(.random, seed: 2))
    #expect(try order(.related, seed: 1) == order(.related, seed: 2))
  }

  @Test func `what was found is kept, and made again if it is damaged`() throws {
    let folder = CacheFolder()
    let source = try source(folder) {
      $0.deduplicates = true
      $0.order = .related
    }
    func open() throws -> (corpus: Corpus, said: [String]) {
      var said: [String] = []
      let corpus = try Corpus(opening: source, report: { said.append($0) })
      return (corpus, said.filter { $0.contains("looking for") })
    }
    let first = try open()
    #expect(first.said.count == 2)
    let again = try open()
    #expect(again.said.isEmpty)
    #expect(try documents(of: again.corpus.training) == documents(of: first.corpus.training))
    let cache = folder.url.appending(path: "cache").path()
    for name in try FileManager.default.contentsOfDirectory(atPath: cache) where name.hasSuffix(".neighbours") {
      var bytes = try Data(contentsOf: URL(filePath: cache + "/" + name))
      bytes[bytes.count - 3] ^= 1
      try bytes.write(to: URL(filePath: cache + "/" + name))
    }
    let third = try open()
    #expect(third.said.count == 1)
    #expect(try documents(of: third.corpus.training) == documents(of: first.corpus.training))
  }

  @Test func `packed rows have no documents, whatever the order`() throws {
    let folder = CacheFolder()
    let packed = try Corpus(
      opening: source(folder) {
        $0.order = .related
        $0.isPacked = true
      })
    #expect(!packed.training.hasDocuments && !packed.heldOut.hasDocuments)
    let apart = try Corpus(opening: source(folder) { $0.order = .related })
    #expect(apart.training.hasDocuments && apart.heldOut.hasDocuments)
    #expect(try packed.training.tokens(0..<packed.training.count) == apart.training.tokens(0..<apart.training.count))
    #expect(packed.summary.contains("related order"))
  }

  @Test func `an order in which hardly a document is related to another says so`() throws {
    let folder = CacheFolder()
    #expect(
      try Corpus(
        opening: source(folder) {
          $0.deduplicates = true
          $0.order = .related
        }
      ).notices.isEmpty)
    let file = folder.url.appending(path: "letters.txt")
    var dice = Dice(3)
    // All documents have the same letters.
    let text = (0..<40).map { _ in String(Array("abcdefgh").shuffled(using: &dice)) + "|" }.joined()
    try Data(text.utf8).write(to: file)
    let corpus = try Corpus(
      opening: source(folder) {
        $0.paths = [file.path()]
        $0.order = .related
      })
    let alone = try #require(corpus.related).count
    #expect(corpus.notices.count == 1 && corpus.notices[0].contains("\(alone) of \(alone) documents have no term"))
  }

  @Test func `a text of one document has no order`() throws {
    let folder = CacheFolder()
    let source = try source(folder) {
      $0.order = .related
      $0.documents = DocumentBounds(separator: "")
    }
    #expect(throws: CorpusError.self) { try Corpus(opening: source) }
  }

  @Test func `what documents are like is told by their numbers in the text`() throws {
    let folder = CacheFolder()
    let corpus = try Corpus(
      opening: source(folder) {
        $0.deduplicates = true
        $0.order = .related
      })
    let related = try #require(corpus.related)
    var (repeated, like, unlike) = (0, 0, 0)
    for document in 0..<related.count {
      switch try #require(related.likeness(of: document)) {
      case .duplicate(let original):
        repeated += 1
        #expect(original < document)
        let (a, b) = (related.ranges[document], related.ranges[original])
        let isSame = try related.part.tokens(a) == related.part.tokens(b)
        #expect(a.count != b.count || isSame)
      case .neighbours(let near):
        #expect(near.map(\.cosine) == near.map(\.cosine).sorted(by: >))
        let letters = Set(try related.part.tokens(related.ranges[document]))
        for (other, _) in near {
          if letters == Set(try related.part.tokens(related.ranges[other])) { like += 1 } else { unlike += 1 }
        }
      }
    }
    #expect(repeated > 0 && like > 20 * max(unlike, 1), "\(like) like, \(unlike) unlike")
  }
}

/// A folder that is gone with the test.
private final class CacheFolder {
  let url = FileManager.default.temporaryDirectory.appending(path: "foretop-\(UUID().uuidString)")

  init() { try? FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

  deinit { try? FileManager.default.removeItem(at: url) }
}
