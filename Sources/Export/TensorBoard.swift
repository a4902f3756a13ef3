// Writes a run's numbers as a TensorBoard event file: records (TensorFlow's TFRecord) of protocol buffers (event.proto and
// summary.proto), of which scalars need five fields.
import Run

package enum TensorBoard {
  /// A file name that TensorBoard recognises.
  /// - Parameter time: the run's beginning, Unix time in seconds.
  package static func fileName(run: String, time: Double) -> String {
    "events.out.tfevents.\(Int(max(0, time.isFinite ? time : 0))).\(run)"
  }

  /// Writes every number of every step and evaluation as a scalar; names of evaluations begin with `heldout/`.
  /// - Parameters:
  ///   - content: what the evaluations of the run have.
  ///   - events: passes the events one by one, in order.
  ///   - take: receives one record at a time.
  package static func write(
    _ content: EvaluationContent, of events: @escaping ((Event) throws -> Void) throws -> Void,
    _ take: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let counted: Set = ["step", "tokens", "time"]
    let steps = Metric.ofSteps(heads: content.heads).filter { !counted.contains($0.path) }
    let evaluations = Metric.ofEvaluations(content).filter { !counted.contains($0.path) }
    func put(_ event: ProtocolBuffer) throws { try record(event.bytes).withUnsafeBytes(take) }

    var isBegun = false
    try events { event in
      if !isBegun {
        var version = ProtocolBuffer()
        version.add(1, number: event.time)
        version.add(3, bytes: Array("brain.Event:2".utf8))
        try put(version)
        isBegun = true
      }
      switch event {
      case .stepped(let report):
        let values = steps.compactMap { metric in metric.value(report).map { (metric.path, Float($0)) } }
        try put(scalars(values, step: report.step, time: report.time))
      case .evaluated(let evaluation):
        let values = evaluations.compactMap { metric in
          metric.value(evaluation).map { ("heldout/" + metric.path, Float($0)) }
        }
        try put(scalars(values, step: evaluation.step, time: evaluation.time))
      case .began, .summedUp, .ordered, .mapped, .wrote, .occurred, .confirmed, .gap, .ended: break
      }
    }
  }

  /// An `Event` with a `Summary` of scalars.
  private static func scalars(_ values: [(name: String, value: Float)], step: Int, time: Double) -> ProtocolBuffer {
    var summary = ProtocolBuffer()
    for (name, value) in values {
      var scalar = ProtocolBuffer()
      scalar.add(1, bytes: Array(name.utf8))
      scalar.add(2, number: value)
      summary.add(1, bytes: scalar.bytes)
    }
    var event = ProtocolBuffer()
    event.add(1, number: time)
    event.add(2, whole: UInt64(step))
    event.add(5, bytes: summary.bytes)
    return event
  }

  /// A record: length, checksum of the length, content, checksum of the content.
  private static func record(_ content: [UInt8]) -> [UInt8] {
    let length = withUnsafeBytes(of: UInt64(content.count).littleEndian) { Array($0) }
    return length + masked(length) + content + masked(content)
  }

  /// The masked checksum of TFRecord: rotated, since a CRC over data that contains CRCs is weak.
  private static func masked(_ bytes: [UInt8]) -> [UInt8] {
    let sum = checksum(bytes)
    let turned = (sum >> 15 | sum << 17) &+ 0xa282_ead8
    return withUnsafeBytes(of: turned.littleEndian) { Array($0) }
  }

  /// CRC32C (Castagnoli, reflected).
  private static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var sum: UInt32 = 0xffff_ffff
    for byte in bytes { sum = table[Int((sum ^ UInt32(byte)) & 0xff)] ^ sum >> 8 }
    return ~sum
  }

  private static let table: [UInt32] = (UInt32(0)..<256).map { start in
    (0..<8).reduce(start) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0x82f6_3b78 : sum >> 1 }
  }
}

extension Event {
  /// Unix time in seconds; 0 for events without a time.
  fileprivate var time: Double {
    switch self {
    case .began(let beginning): beginning.time
    case .stepped(let report): report.time
    case .summedUp(let steps): steps.mean.time
    case .evaluated(let evaluation): evaluation.time
    case .occurred(let occurrence): occurrence.time
    case .ended(let ending): ending.time
    case .ordered, .mapped, .wrote, .confirmed, .gap: 0
    }
  }
}
