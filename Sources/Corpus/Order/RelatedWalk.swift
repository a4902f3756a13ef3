// The order of related documents (“In-context pretraining: language modeling beyond document boundaries”, arXiv 2310.10638): a greedy
// walk through the graph of nearest neighbours that visits every document once. Two documents are connected if either is a neighbour of the
// other. The walk begins at the document with the fewest connections, goes on to the most similar one that is not yet visited, and from a
// dead end to the unvisited one with the fewest connections.

enum RelatedWalk {
  /// The order of the walk: a permutation of the documents. Of equal documents the earlier one comes first, so that nothing is drawn at random.
  static func order(by neighbours: DocumentNeighbours) -> [Int32] {
    let count = neighbours.count
    var edges: [[(document: Int32, cosine: Float)]] = Array(repeating: [], count: count)
    for document in 0..<count {
      for (other, cosine) in neighbours[document] {
        edges[document].append((Int32(other), cosine))
        // An edge that both sides have is one edge.
        if !neighbours[other].contains(where: { $0.document == document }) {
          edges[other].append((Int32(document), cosine))
        }
      }
    }
    let byDegree = (0..<count).sorted { (edges[$0].count, $0) < (edges[$1].count, $1) }
    var isVisited = [Bool](repeating: false, count: count)
    var order: [Int32] = []
    order.reserveCapacity(count)
    for start in byDegree {
      var current = start
      while !isVisited[current] {
        isVisited[current] = true
        order.append(Int32(current))
        var next: (document: Int32, cosine: Float)?
        for edge in edges[current] where !isVisited[Int(edge.document)] {
          if let best = next, (best.cosine, edge.document) >= (edge.cosine, best.document) { continue }
          next = edge
        }
        if let next { current = Int(next.document) }
      }
    }
    return order
  }
}
