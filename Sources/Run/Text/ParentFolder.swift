// The folder that a path lies in.

extension String {
  /// The path without its last part, as POSIX's `dirname`, except for a single name: "" for `a`, `/` for `/a`, `a` for
  /// `a/b` and `a/b/`.
  ///
  /// `NSString.deletingLastPathComponent` of swift-corelibs-foundation (Swift 6.3) says the same, and traps on a path of one character.
  package var parentFolder: String {
    let path = utf8
    var end = path.endIndex
    func goBack(while isPassed: (UInt8) -> Bool) {
      while end > path.startIndex, isPassed(path[path.index(before: end)]) { end = path.index(before: end) }
    }
    let slash = UInt8(ascii: "/")
    goBack { $0 == slash }
    goBack { $0 != slash }
    let name = end
    goBack { $0 == slash }
    if end == path.startIndex, name > path.startIndex { return "/" }
    return String(self[..<end])
  }
}
