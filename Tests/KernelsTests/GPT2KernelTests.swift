// The kernels of GPT-2's kind of network, of qk-norm and of dropout against their slow twins; gradients against slopes.
import Foundation
import Kernels
import Support
import Testing

@Suite struct LayerNormTests {
  @Test(arguments: Extent.samples)
  func `it agrees with its twin, and its gradients are slopes`(extent: Extent) {
    let (rows, d) = (extent.rows, extent.width)
    var dice = Dice(21)
    var x = dice.floats(rows * d)
    let (w, b) = (dice.floats(d), dice.floats(d))
    var delta = dice.floats(x.count)
    var (y, sum) = (x, x)
    var scale = [Float](repeating: 0, count: rows)
    var mean = scale
    func m(_ values: inout [Float]) -> Matrix { matrix(&values, rows: rows, columns: d) }
    LayerNorm.forward(
      m(&x), adding: m(&delta), w: w, b: b, epsilon: 1e-5, sum: m(&sum), y: m(&y), scale: &scale, mean: &mean,
      threads: extent.threads)
    let added = zip(x.doubles, delta.doubles).map(+)
    #expect(largestError(sum, added) < 1e-6)
    #expect(largestError(y, Reference.layerNorm(added, w.doubles, b.doubles)) < 1e-4)

    var dy = dice.floats(x.count)
    var dx = [Float](repeating: 1, count: x.count)
    var (dw, db) = ([Float](repeating: 1, count: d), [Float](repeating: 2, count: d))
    var partial = [Float](repeating: 7, count: extent.threads * 2 * d)
    LayerNorm.backward(
      m(&dy), x: m(&sum), w: w, scale: scale, mean: mean, dx: m(&dx), addsTo: true, operand: nil, dw: &dw, db: &db,
      partial: &partial, threads: extent.threads)
    let g = dy.doubles
    func loss(_ x: [Double], _ w: [Double], _ b: [Double]) -> Double {
      zip(Reference.layerNorm(x, w, b), g).reduce(0) { $0 + $1.0 * $1.1 }
    }
    func check(_ found: [Float], _ start: Double, _ at: [Double], _ f: ([Double]) -> Double) {
      for i in found.indices {
        let expected = start + slope(of: f, at: at, i)
        // A row of one number is all mean: its norm is b, and the square root of ε is in every slope.
        #expect(abs(Double(found[i]) - expected) < 3e-4 * (1 + abs(expected)), "[\(i)]")
      }
    }
    check(dx, 1, sum.doubles) { loss($0, w.doubles, b.doubles) }
    check(dw, 1, w.doubles) { loss(sum.doubles, $0, b.doubles) }
    check(db, 2, b.doubles) { loss(sum.doubles, w.doubles, $0) }
  }

  @Test func `a stream far from zero keeps its variance`() {
    var x = (0..<64).map { 10_000 + Float($0 % 2) }
    var (y, sum) = (x, x)
    var (scale, mean): ([Float], [Float]) = ([0], [0])
    LayerNorm.forward(
      matrix(&x, rows: 1, columns: 64), adding: nil, w: [Float](repeating: 1, count: 64),
      b: [Float](repeating: 0, count: 64), epsilon: 1e-5, sum: matrix(&sum, rows: 1, columns: 64),
      y: matrix(&y, rows: 1, columns: 64), scale: &scale, mean: &mean, threads: 1)
    #expect(zip(y, x).allSatisfy { abs($0 - ($1 - 10_000.5) * 2) < 1e-2 })
  }
}

@Suite struct GELUTests {
  @Test(arguments: Extent.samples)
  func `it agrees with its twin, and its gradient is its slope`(extent: Extent) {
    let (rows, n) = (extent.rows, extent.width)
    var dice = Dice(22)
    var u = dice.floats(rows * n, scale: 4)
    let before = u.doubles
    var s = u
    GELU.forward(
      matrix(&u, rows: rows, columns: n), s: matrix(&s, rows: rows, columns: n), threads: extent.threads)
    #expect(largestError(s, Reference.gelu(before)) < 1e-5)
    var ds = dice.floats(s.count)
    var again = s.map { _ in Float(0) }
    GELU.backward(
      matrix(&ds, rows: rows, columns: n), u: matrix(&u, rows: rows, columns: n),
      s: matrix(&again, rows: rows, columns: n), threads: extent.threads)
    #expect(again == s)
    for i in u.indices {
      let expected = Double(ds[i]) * slope(of: { Reference.gelu($0)[0] }, at: [before[i]], 0)
      #expect(abs(Double(u[i]) - expected) < 1e-4 * (1 + abs(expected)), "du[\(i)]")
    }
  }

  @Test func `values of a million neither overflow nor lose their gradient`() {
    var u: [Float] = [1e6, -1e6, 1e19, -1e19]
    var s = u
    GELU.forward(matrix(&u, rows: 1, columns: 4), s: matrix(&s, rows: 1, columns: 4), threads: 1)
    #expect(s[0] == 1e6 && s[2] == 1e19 && abs(s[1]) < 1e-30 && abs(s[3]) < 1e-17)
    var ds: [Float] = [1, 1, 1, 1]
    GELU.backward(
      matrix(&ds, rows: 1, columns: 4), u: matrix(&u, rows: 1, columns: 4), s: matrix(&s, rows: 1, columns: 4),
      threads: 1)
    #expect(u[0] == 1 && u[2] == 1 && abs(u[1]) < 1e-20 && abs(u[3]) < 1e-20)
  }
}

@Suite struct HeadNormTests {
  @Test(arguments: [1, 2, 5, 16, 24, 33], [1, 3])
  func `each head is normed on its own, and its gradients are slopes`(headWidth h: Int, threads: Int) {
    let (rows, heads, rest) = (4, 3, 5)
    var dice = Dice(23)
    let stride = heads * h + rest
    var x = dice.floats(rows * stride)
    let before = x
    let w = dice.floats(h)
    var kept = [Float](repeating: 0, count: rows * heads * h)
    var dy = dice.floats(x.count)
    let g = dy
    var dw = [Float](repeating: 1, count: h)
    var partial = [Float](repeating: 9, count: threads * h)
    func part(_ values: inout [Float]) -> Matrix {
      values.withUnsafeMutableBufferPointer {
        Matrix($0.baseAddress!, rows: rows, columns: heads * h, stride: stride, precision: .fp32)
      }
    }
    func packed(_ values: [Float]) -> [Double] {
      var packed: [Double] = []
      for row in 0..<rows { packed += values[row * stride..<row * stride + heads * h].map(Double.init) }
      return packed
    }
    HeadNorm.forward(
      part(&x), headWidth: h, w: w, epsilon: 1e-6, kept: matrix(&kept, rows: rows, columns: heads * h),
      threads: threads)
    let expected = Reference.rmsNorm(packed(before), w.doubles)
    #expect(largestError(packed(x).map(Float.init), expected) < 1e-5)
    for t in 0..<rows {
      #expect(x[t * stride + heads * h..<(t + 1) * stride] == before[t * stride + heads * h..<(t + 1) * stride])
    }
    HeadNorm.backward(
      part(&dy), x: matrix(&kept, rows: rows, columns: heads * h), headWidth: h, w: w, epsilon: 1e-6, dw: &dw,
      partial: &partial, threads: threads)
    let weights = packed(g)
    func loss(_ x: [Double], _ w: [Double]) -> Double {
      zip(Reference.rmsNorm(x, w), weights).reduce(0) { $0 + $1.0 * $1.1 }
    }
    let dx = packed(dy)
    for i in dx.indices {
      let expected = slope(of: { loss($0, w.doubles) }, at: packed(before), i)
      #expect(abs(dx[i] - expected) < 3e-4 * (1 + abs(expected)), "dx[\(i)]")
    }
    for i in w.indices {
      let expected = 1 + slope(of: { loss(packed(before), $0) }, at: w.doubles, i)
      #expect(abs(Double(dw[i]) - expected) < 1e-4 * (1 + abs(expected)), "dw[\(i)]")
    }
  }
}

@Suite struct BiasTests {
  @Test(arguments: Extent.samples)
  func `its gradient is the sum over rows, added`(extent: Extent) {
    var dice = Dice(24)
    var dy = dice.floats(extent.rows * extent.width)
    var db = [Float](repeating: 1, count: extent.width)
    var partial = [Float](repeating: 5, count: extent.threads * extent.width)
    Bias.backward(
      matrix(&dy, rows: extent.rows, columns: extent.width), db: &db, partial: &partial, threads: extent.threads)
    let expected = (0..<extent.width).map { column in
      stride(from: column, to: dy.count, by: extent.width).reduce(1.0) { $0 + Double(dy[$1]) }
    }
    #expect(largestError(db, expected) < 1e-6)
  }
}

@Suite struct PositionsTests {
  @Test func `every row gets its positions, and their gradients are sums over rows`() {
    var dice = Dice(25)
    let (rows, context, d) = (3, 4, 20)
    let table = dice.floats(context * d)
    var x = [Float](repeating: 1, count: rows * context * d)
    Embedding.addPositions(table, context: context, x: matrix(&x, rows: rows * context, columns: d), threads: 2)
    #expect(x.indices.allSatisfy { x[$0] == 1 + table[$0 % table.count] })
    var sums = [Float](repeating: 1, count: table.count)
    Embedding.backwardPositions(
      matrix(&x, rows: rows * context, columns: d), context: context, dTable: &sums, threads: 3)
    let expected = (0..<table.count).map { i in (0..<rows).reduce(1.0) { $0 + Double(x[$1 * table.count + i]) } }
    #expect(largestError(sums, expected) < 1e-6)
  }
}

@Suite struct DropoutTests {
  private func masks(_ rate: Float, _ random: RandomStream, rows: Int, columns: Int, threads: Int = 2) -> [Float] {
    var x = [Float](repeating: 1, count: rows * columns)
    Dropout(rate: rate, random: random).apply(matrix(&x, rows: rows, columns: columns), threads: threads)
    return x
  }

  @Test(arguments: [Float(0.1), 0.5, 0.9])
  func `it drops its share, keeps the mean, and no row or column knows another`(rate: Float) {
    let random = RandomStream(seed: 3, purpose: "test")
    let (rows, columns) = (500, 200)
    let x = masks(rate, random, rows: rows, columns: columns)
    let count = Double(x.count)
    let kept = Double(x.count { $0 != 0 }) / count
    let error = (Double(rate) * (1 - Double(rate)) / count).squareRoot()
    #expect(abs(kept - Double(1 - rate)) < 4 * error)
    #expect(x.allSatisfy { $0 == 0 || abs($0 - 1 / (1 - rate)) < 1e-6 })
    // Neighbours to the right and below agree as often as chance has it.
    let alike = Double(rate * rate + (1 - rate) * (1 - rate))
    for step in [1, 16, columns, 7 * columns] {
      let agreeing = Double((0..<x.count - step).count { (x[$0] == 0) == (x[$0 + step] == 0) }) / Double(x.count - step)
      #expect(abs(agreeing - alike) < 5 * (alike * (1 - alike) / count).squareRoot(), "step \(step)")
    }
    for column in 0..<columns {
      let share = Double((0..<rows).count { x[$0 * columns + column] != 0 }) / Double(rows)
      #expect(abs(share - Double(1 - rate)) < 6 * (Double(rate) * (1 - Double(rate)) / Double(rows)).squareRoot())
    }
  }

  @Test func `a mask is a function of stream, row and column alone`() {
    let random = RandomStream(seed: 3, purpose: "test")
    let whole = masks(0.4, random, rows: 9, columns: 37, threads: 1)
    #expect(masks(0.4, random, rows: 9, columns: 37, threads: 4) == whole)
    #expect(masks(0.4, random.branch(1), rows: 9, columns: 37) != whole)
    #expect(masks(0.4, RandomStream(seed: 4, purpose: "test"), rows: 9, columns: 37) != whole)
    // A part of a matrix, a narrower one, and a copy in bf16 have the same mask.
    let dropout = Dropout(rate: 0.4, random: random)
    var part = [Float](repeating: 1, count: 3 * 20)
    dropout.apply(matrix(&part, rows: 3, columns: 20), first: 5, threads: 2)
    for row in 0..<3 {
      #expect(part[row * 20..<(row + 1) * 20].elementsEqual(whole[(5 + row) * 37..<(5 + row) * 37 + 20]))
    }
    var ones = [Float](repeating: 1, count: whole.count)
    var rounded = [UInt16](repeating: 1, count: whole.count)
    rounded.withUnsafeMutableBytes { bytes in
      dropout.apply(
        matrix(&ones, rows: 9, columns: 37),
        into: Matrix(bytes.baseAddress!, rows: 9, columns: 37, precision: .bf16), threads: 2)
    }
    #expect(zip(rounded, whole).allSatisfy { ($0 == 0) == ($1 == 0) })
  }
}
