// The records of a step's picks as processes exchange them that train together: each process has the records of its rows, and the
// gradient of a table is a sum over all positions of the step, in their order.
import Kernels

/// One list of the records of a memory layer. A view: valid as long as the parameters are.
package struct PickRecordBlock {
  /// Integers or floats, 4 bytes each; of every position of the step as many, one position after the other.
  package let start: UnsafeMutablePointer<Float>
  /// Numbers of a position.
  package let numbers: Int

  /// Nil without numbers.
  fileprivate init?(_ start: UnsafeMutableRawPointer, _ numbers: Int) {
    guard numbers > 0 else { return nil }
    self.start = start.assumingMemoryBound(to: Float.self)
    self.numbers = numbers
  }
}

extension Parameters {
  /// All lists of records, in the order of layers. Positions are those of all processes: in each micro-batch, the rows of one
  /// process follow those of the process before. Empty without memory layers.
  package var pickRecordBlocks: [PickRecordBlock] {
    var blocks: [PickRecordBlock] = []
    withMemory { _, shared, arena in
      let shape = shared.shape
      for layer in shared.layers {
        let records = shared.records(layer, in: arena)
        blocks += [
          PickRecordBlock(records.rows, shape.picks), PickRecordBlock(records.weights, shape.picks * shape.weights),
          PickRecordBlock(records.factors, shape.preWidth > 0 ? shape.picks : 0),
          PickRecordBlock(records.dPooled, shape.valueWidth), PickRecordBlock(records.z, shape.preWidth),
        ].compactMap { $0 }
      }
    }
    return blocks
  }
}
