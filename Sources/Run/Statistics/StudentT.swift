// Student's t distribution, by the regularised incomplete beta function (Press et al., Numerical Recipes, section 6.4).
import Glibc

package enum StudentT {
  /// The probability that |T| is at most `t`, for `freedom` degrees of freedom.
  package static func probability(within t: Double, freedom: Double) -> Double {
    1 - IncompleteBeta.regularised(freedom / 2, 0.5, at: freedom / (freedom + t * t))
  }

  /// The t for which |T| is at most t with this probability.
  package static func bound(within probability: Double, freedom: Double) -> Double {
    rootOfRising(from: 0, to: 1e9) { StudentT.probability(within: $0, freedom: freedom) - probability }
  }
}

package enum NormalDistribution {
  /// The z for which |Z| is at most z with this probability.
  package static func bound(within probability: Double) -> Double {
    rootOfRising(from: 0, to: 40) { erf($0 / 2.0.squareRoot()) - probability }
  }
}

/// I_x(a, b), the integral of the beta density up to x.
package enum IncompleteBeta {
  package static func regularised(_ a: Double, _ b: Double, at x: Double) -> Double {
    guard x > 0 else { return 0 }
    guard x < 1 else { return 1 }
    let front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    // The fraction converges fast on this side of the mean.
    return x < (a + 1) / (a + b + 2) ? front * fraction(a, b, x) / a : 1 - front * fraction(b, a, 1 - x) / b
  }

  /// The x for which I_x(a, b) is `probability`.
  package static func inverse(_ a: Double, _ b: Double, of probability: Double) -> Double {
    rootOfRising(from: 0, to: 1) { regularised(a, b, at: $0) - probability }
  }

  /// The continued fraction, by Lentz's method.
  private static func fraction(_ a: Double, _ b: Double, _ x: Double) -> Double {
    let least = 1e-300
    func held(_ value: Double) -> Double { abs(value) < least ? least : value }
    var c = 1.0
    var d = 1 / held(1 - (a + b) * x / (a + 1))
    var result = d
    for m in 1...10_000 {
      let n = Double(m)
      let even = n * (b - n) * x / ((a + 2 * n - 1) * (a + 2 * n))
      d = 1 / held(1 + even * d)
      c = held(1 + even / c)
      result *= d * c
      let odd = -(a + n) * (a + b + n) * x / ((a + 2 * n) * (a + 2 * n + 1))
      d = 1 / held(1 + odd * d)
      c = held(1 + odd / c)
      result *= d * c
      if abs(d * c - 1) < 1e-15 { break }
    }
    return result
  }
}

/// Where a function that never falls is 0, by halving: the same on every machine.
private func rootOfRising(from low: Double, to high: Double, _ function: (Double) -> Double) -> Double {
  var (low, high) = (low, high)
  for _ in 0..<200 where high - low > 1e-15 * max(1, abs(low)) {
    let middle = low + (high - low) / 2
    if function(middle) < 0 { low = middle } else { high = middle }
  }
  return low + (high - low) / 2
}
