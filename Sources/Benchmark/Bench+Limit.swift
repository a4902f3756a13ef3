// The machine's limit: each matrix product of "small" alone.
import Kernels
import Training
import Transformer

extension Bench {
  /// Measures the products of the linear layers of "small", each alone.
  package func limit() throws -> ReportTable {
    var table = ReportTable(
      name: "limit",
      about: [
        "the machine's limit: matrix products by oneDNN at the shapes of “small” (4096 tokens), GFLOP/s",
        "forward y = x·Wᵀ, gradient at the input dx = dy·W, gradient at the weights dW = dyᵀ·x; medians of \(rounds)",
      ],
      columns: [
        .column("layer", "layer"), .column("out", "out"), .column("in", "in"), .column("precision", "in"),
        .column("forward", "forward"), .column("input", "input"), .column("weight", "weight"),
        .column("milliseconds", "ms a step", 1),
      ])
    try Team.require(threads)
    let products = try Products(threads: threads)
    for workload in Workload.small where workload.configuration.objectives.count == 1 {
      progress("limit: \(workload.precision)")
      let alone = try ProductsAlone(workload, products: products)
      for run in alone.runs {
        func rate(_ product: Product) -> Double {
          var samples = Samples()
          for round in 0...rounds {
            let time = seconds { alone.run(product) }
            if round > 0 { samples.add(product.operations / time) }
          }
          return samples.median
        }
        let rates = [rate(run.forward), rate(run.input), rate(run.weight)]
        try alone.requireSuccess()
        let each = zip([run.forward, run.input, run.weight], rates).reduce(0) { $0 + $1.0.operations / $1.1 }
        table.add(
          .text(run.layer.name), .number(Double(run.layer.out)), .number(Double(run.layer.input)),
          .text("\(workload.precision)"), .number(rates[0] * 1e-9), .number(rates[1] * 1e-9),
          .number(rates[2] * 1e-9), .number(each * 1000 * Double(run.layer.times)))
      }
    }
    return table
  }
}
