// Paths of all shapes that a user can type.
import Foundation
import Run
import Testing

@Suite struct ParentFolderTests {
  @Test(arguments: [
    ("k", ""), ("k/", ""), (".", ""), ("é", ""), ("", ""), ("/", ""), ("//", ""), ("/k", "/"), ("//k//", "/"),
    ("a/b", "a"),
    ("a/b/", "a"), ("a//b", "a"), ("/a/b", "/a"), ("../x", ".."), ("ä/ö/ü", "ä/ö"), ("a\n/b", "a\n"),
  ])
  func `a path without its last part, of one character too`(path: String, parent: String) {
    #expect(path.parentFolder == parent)
  }

  @Test func `it is Foundation's where that does not trap`() {
    let parts = ["a", "bc", "é", "..", "x y"]
    for first in parts {
      for second in parts {
        for path in ["\(first)/\(second)", "/\(first)/\(second)", "/\(first)", "\(first)/\(second)/"] {
          #expect(path.parentFolder == (path as NSString).deletingLastPathComponent, "\(path)")
        }
      }
    }
  }
}
