// Peak memory. Each workload trains in a process of its own, since a process has only one peak.
import Kernels
import Run
import Transformer

/// The peak memory and the speed of a workload in a process of its own.
package struct Alone: Codable, Sendable {
  package var tokensPerSecond: Double
  package var spread: Double
  /// The peak of the process's memory in bytes.
  package var peakMemory: Int
}

extension Bench {
  /// Trains one workload for `rounds` steps in this process, which must do nothing else.
  package func alone(_ workload: Workload, rounds: Int) throws -> Alone {
    let stepper = try Stepper(workload, threads: threads)
    var samples = Samples()
    for round in 0...rounds {
      let phases = try stepper.step()
      if round > 0 { samples.add(Double(workload.positions) / phases.total(accumulation: 1)) }
    }
    return Alone(
      tokensPerSecond: samples.median, spread: samples.spread, peakMemory: MachineMemory.peakOfProcess ?? 0)
  }

  /// Measures the peak memory of training.
  /// - Parameter child: trains a workload in a process of its own.
  package func memory(child: (Workload) throws -> Alone) throws -> ReportTable {
    var table = ReportTable(
      name: "memory",
      about: [
        "peak memory of a process that trains the workload, and the estimate of “foretop plan” for its network, MiB",
        "the difference: the program, its libraries and the products' machine code",
      ],
      columns: [
        .column("workload", "workload"), .column("peak", "peak MiB"), .column("planned", "planned"),
        .column("beyond", "beyond"),
      ])
    for workload in Workload.small {
      progress("memory: \(workload.name)")
      let peak = Double(try child(workload).peakMemory) / 1_048_576
      let planned =
        Double(
          try NetworkPlan(
            workload.configuration, rows: workload.rows, precision: workload.precision, threads: threads
          ).bytes) / 1_048_576
      table.add(.text(workload.name), .number(peak), .number(planned), .number(peak - planned))
    }
    return table
  }
}
