// The nearest neighbours of every document: an inverted index over each document's heaviest terms proposes candidates, and exact
// cosines of their vectors choose among them.
import Run

/// The nearest documents of each document, most similar first.
package struct DocumentNeighbours: Sendable, Equatable {
  /// Neighbours of a document, at most.
  package static let most = 10
  /// Increase it when a change finds other neighbours: part of the cache's key.
  static let version = 1
  /// Documents whose exact cosine is computed.
  private static let candidates = 48

  /// [documents, most]: numbers of documents; −1 where there are fewer.
  let documents: [Int32]
  /// [documents, most].
  let cosines: [Float]

  var count: Int { documents.count / Self.most }

  init(documents: [Int32], cosines: [Float]) {
    self.documents = documents
    self.cosines = cosines
  }

  /// The neighbours of a document with their cosines.
  package subscript(document: Int) -> [(document: Int, cosine: Float)] {
    (document * Self.most..<(document + 1) * Self.most).compactMap {
      documents[$0] >= 0 ? (Int(documents[$0]), cosines[$0]) : nil
    }
  }

  init(of terms: DocumentTerms) {
    let index = InvertedIndex(terms)
    let piece = 512
    let parts = WorkerThread.map((terms.count + piece - 1) / piece) { part in
      Self.neighbours(of: part * piece..<min((part + 1) * piece, terms.count), terms, index)
    }
    self.init(documents: parts.flatMap(\.documents), cosines: parts.flatMap(\.cosines))
  }

  private static func neighbours(
    of range: Range<Int>, _ terms: DocumentTerms, _ index: InvertedIndex
  ) -> (documents: [Int32], cosines: [Float]) {
    var documents: [Int32] = []
    var cosines: [Float] = []
    var scores = [Float](repeating: 0, count: terms.count)
    var touched: [Int32] = []
    for document in range {
      index.add(document, of: terms, to: &scores, &touched)
      var proposed = Best(room: candidates)
      for other in touched {
        if Int(other) != document { proposed.take(other, scores[Int(other)]) }
        scores[Int(other)] = 0
      }
      touched.removeAll(keepingCapacity: true)
      var best = Best(room: most)
      for entry in proposed.entries { best.take(entry.document, terms.cosine(document, Int(entry.document))) }
      for place in 0..<most {
        let entry = place < best.entries.count ? best.entries[place] : (document: -1, score: 0)
        documents.append(entry.document)
        cosines.append(entry.score)
      }
    }
    return (documents, cosines)
  }

  /// The highest scores; of equal ones those of earlier documents.
  private struct Best {
    let room: Int
    private(set) var entries: [(document: Int32, score: Float)] = []

    init(room: Int) { self.room = room }

    mutating func take(_ document: Int32, _ score: Float) {
      func isBefore(_ entry: (document: Int32, score: Float)) -> Bool {
        entry.score > score || (entry.score == score && entry.document < document)
      }
      if entries.count == room, isBefore(entries[room - 1]) { return }
      var place = entries.count
      while place > 0, !isBefore(entries[place - 1]) { place -= 1 }
      entries.insert((document, score), at: place)
      if entries.count > room { entries.removeLast() }
    }
  }
}

/// The documents of each token among those by which they are found.
private struct InvertedIndex {
  private let offsets: [Int]
  private let documents: [Int32]
  private let weights: [Float]

  init(_ terms: DocumentTerms) {
    let vocabulary = Int(terms.tokens.max() ?? -1) + 1
    var counts = [Int](repeating: 0, count: vocabulary + 1)
    func forEach(_ body: (_ document: Int, _ token: Int, _ weight: Float) -> Void) {
      for document in 0..<terms.count {
        for place in terms.indexed[document] {
          let term = terms.offsets[document] + Int(place)
          body(document, Int(terms.tokens[term]), terms.weights[term])
        }
      }
    }
    forEach { _, token, _ in counts[token + 1] += 1 }
    for token in 0..<vocabulary { counts[token + 1] += counts[token] }
    offsets = counts
    var documents = [Int32](repeating: 0, count: counts[vocabulary])
    var weights = [Float](repeating: 0, count: counts[vocabulary])
    var next = counts
    forEach { document, token, weight in
      documents[next[token]] = Int32(document)
      weights[next[token]] = weight
      next[token] += 1
    }
    self.documents = documents
    self.weights = weights
  }

  /// Adds the products of a document's indexed terms to the scores of the documents that share them.
  func add(_ document: Int, of terms: DocumentTerms, to scores: inout [Float], _ touched: inout [Int32]) {
    for place in terms.indexed[document] {
      let term = terms.offsets[document] + Int(place)
      let (token, weight) = (Int(terms.tokens[term]), terms.weights[term])
      for index in offsets[token]..<offsets[token + 1] {
        let other = Int(documents[index])
        if scores[other] == 0 { touched.append(Int32(other)) }
        scores[other] += weight * weights[index]
      }
    }
  }
}
