// What a call says when it is refused.

/// The sentence of the error that a call ends with; empty where the call succeeds.
package func sentence(_ body: () throws -> Void) -> String {
  do {
    try body()
    return ""
  } catch { return "\(error)" }
}
