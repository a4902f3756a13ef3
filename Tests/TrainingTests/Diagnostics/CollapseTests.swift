// Neural collapse of states that have collapsed: class means at the corners of a simplex (an equiangular tight frame), without noise.
import Foundation
import Run
import Support
import Testing

@testable import Training

@Suite struct CollapseTests {
  /// Classes at the corners of a simplex, a multiple of its own size away from an offset, with unembeddings that point there.
  private struct Simplex {
    let classes: Int
    let width: Int
    let norm: Double
    var noise = 0.0
    let offset: [Double]

    init(classes: Int, width: Int, norm: Double, noise: Double = 0) {
      (self.classes, self.width, self.norm, self.noise) = (classes, width, norm, noise)
      var dice = Dice(for: "offset of a simplex")
      offset = (0..<width).map { _ in Double.random(in: -1...1, using: &dice) }
    }

    /// The corner of a class, of unit norm.
    func corner(_ index: Int) -> [Double] {
      let scale = (Double(classes) / Double(classes - 1)).squareRoot()
      return (0..<width).map { i in
        i < classes ? scale * ((i == index ? 1 : 0) - 1 / Double(classes)) : 0
      }
    }

    /// The class of token 2c + 1 is c; other tokens never come.
    func token(_ index: Int) -> Int32 { Int32(2 * index + 1) }

    func batch(_ part: DiagnosticPart, repeats: Int, dice: inout Dice) -> DiagnosticBatch {
      var (states, targets): ([Float], [Int32]) = ([], [])
      for _ in 0..<repeats {
        for index in 0..<classes {
          let corner = corner(index)
          for i in 0..<width {
            states.append(Float(offset[i] + norm * corner[i] + noise * Double.random(in: -1...1, using: &dice)))
          }
          targets.append(token(index))
        }
        // A position without a target counts nowhere.
        states += (0..<width).map { _ in 1e6 }
        targets.append(-1)
      }
      var batch = DiagnosticBatch(
        part: part, current: targets, places: targets, losses: [targets.map { _ in 0 }], targets: [targets],
        hits: targets.map { _ in 0 })
      batch.states = states
      return batch
    }

    func collapse(least: Int = 1) throws -> [String: Double] {
      var dice = Dice(for: "noise of a simplex")
      var collapse = NeuralCollapse(vocabulary: 2 * classes + 2, width: width, least: least, threads: 2)
      for _ in 0..<3 { collapse.add(batch(.training, repeats: 7, dice: &dice)) }
      var unembedding = [Float](repeating: 0, count: (2 * classes + 2) * width)
      for index in 0..<classes {
        for (i, value) in corner(index).enumerated() { unembedding[Int(token(index)) * width + i] = Float(3 * value) }
      }
      try unembedding.withUnsafeBufferPointer { try collapse.prepare(unembedding: $0.baseAddress!) }
      collapse.add(batch(.heldOut, repeats: 41, dice: &dice))
      return Dictionary(collapse.numbers().map { ($0.name, $0.value) }) { first, _ in first }
    }
  }

  @Test(arguments: [(2, 8), (5, 8), (9, 12), (100, 130)]) func `a simplex has collapsed`(
    classes: Int, width: Int
  ) throws {
    let numbers = try Simplex(classes: classes, width: width, norm: 2.5).collapse()
    func value(_ name: String) throws -> Double { try #require(numbers[name], "\(name)") }
    #expect(try value("classes-count") == Double(classes) && value("nc4-count") == Double(41 * classes))
    #expect(try value("nc1-cdnv") < 1e-10 && value("nc1-scaled") < 1e-10)
    for name in ["nc2-norms", "nc2-norm-deviation", "unc3-uniformity"] { #expect(try value(name) < 1e-4, "\(name)") }
    #expect(try abs(value("nc2-cosine") + 1 / Double(classes - 1)) < 1e-6)
    #expect(try value("nc2-cosines") < 1e-3 && value("gnc2-uniformity") < 1e-4)
    #expect(try abs(value("nc3-cosine") - 1) < 1e-5)
    #expect(try value("nc4-agreement") == 1 && value("nc4-accuracy") == 1)
  }

  @Test func `noise undoes it, and the scaled variability ignores the scale`() throws {
    let near = try Simplex(classes: 5, width: 8, norm: 1, noise: 0.2).collapse()
    let far = try Simplex(classes: 5, width: 8, norm: 2, noise: 0.4).collapse()
    let loud = try Simplex(classes: 5, width: 8, norm: 1, noise: 2).collapse()
    // States twice as large have a quarter of the published variability, and the same scaled one.
    #expect(abs(far["nc1-cdnv"]! / near["nc1-cdnv"]! - 0.25) < 0.02)
    #expect(abs(far["nc1-scaled"]! / near["nc1-scaled"]! - 1) < 0.05)
    #expect(loud["nc1-scaled"]! > 10 * near["nc1-scaled"]!)
    #expect(loud["nc4-accuracy"]! < near["nc4-accuracy"]!)
  }

  @Test func `classes that come too seldom are left out, and one class is no geometry`() throws {
    let simplex = Simplex(classes: 4, width: 6, norm: 1)
    #expect(try simplex.collapse(least: 21)["classes-count"] == 4)
    let none = try simplex.collapse(least: 22)
    #expect(none == ["classes-count": 0])
  }
}
