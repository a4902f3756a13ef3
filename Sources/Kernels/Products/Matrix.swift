// Views of memory that somebody else owns, and the two precisions that matrix products take. A view is made for a call and
// never kept.

/// How the elements of an operand are stored. Sums, weights, moments and statistics are always fp32.
package enum Precision: Sendable {
  case fp32
  /// The upper half of a Float: 8 bits of exponent, 7 of fraction.
  case bf16

  /// Bytes an element.
  package var bytes: Int { self == .fp32 ? 4 : 2 }
}

/// A row-major matrix: element (r, c) is at `base + (r · stride + c) · precision.bytes`.
package struct Matrix {
  package var base: UnsafeMutableRawPointer
  package var rows: Int
  package var columns: Int
  /// Elements from one row to the next.
  package var stride: Int
  package var precision: Precision

  package init(
    _ base: UnsafeMutableRawPointer, rows: Int, columns: Int, stride: Int? = nil, precision: Precision
  ) {
    self.base = base
    self.rows = rows
    self.columns = columns
    self.stride = stride ?? columns
    self.precision = precision
  }

  /// A matrix of Floats.
  package init(_ base: UnsafeMutablePointer<Float>, rows: Int, columns: Int) {
    self.init(UnsafeMutableRawPointer(base), rows: rows, columns: columns, precision: .fp32)
  }

  /// `count` rows from `first` on.
  package func rows(_ first: Int, count: Int) -> Matrix {
    Matrix(at(first, 0), rows: count, columns: columns, stride: stride, precision: precision)
  }

  /// `count` columns from `first` on, of every row.
  package func columns(_ first: Int, count: Int) -> Matrix {
    Matrix(at(0, first), rows: rows, columns: count, stride: stride, precision: precision)
  }

  /// The address of element (row, column).
  @inline(__always)
  package func at(_ row: Int, _ column: Int) -> UnsafeMutableRawPointer {
    base + (row * stride + column) * precision.bytes
  }

  /// Row `r` as elements of the type that `precision` names.
  @inline(__always)
  func row<Element>(_ r: Int, as: Element.Type) -> UnsafeMutablePointer<Element> {
    (base + r * stride * MemoryLayout<Element>.stride).assumingMemoryBound(to: Element.self)
  }
}

/// A bfloat16 in memory.
struct BFloat16 {
  var bits: UInt16
}
