// The place of a run's folder during a session, in which the folder may be moved or removed.
import Foundation

/// A run's folder, held open.
final class RunPlace: Sendable {
  private let folder: OpenFile
  /// The path given by the user.
  private let given: String
  /// The kernel's path of the folder when it was opened.
  private let absolute: String

  /// - Parameter path: `runs/NAME`, which exists.
  init(_ path: String) throws {
    folder = OpenFile(try FileDescriptor(opening: path, O_RDONLY | O_DIRECTORY))
    given = path
    absolute = Self.path(of: folder) ?? path
  }

  /// The current path; the last known path if the folder was removed.
  var path: String {
    guard !isRemoved, let now = Self.path(of: folder), now != absolute, isHere(now) else { return given }
    return now
  }

  /// True if the folder was removed: its open files are lost when this process ends.
  var isRemoved: Bool {
    var status = stat()
    return fstat(folder.descriptor.number, &status) == 0 && status.st_nlink == 0
  }

  private func isHere(_ path: String) -> Bool {
    var (here, there) = (stat(), stat())
    return fstat(folder.descriptor.number, &here) == 0 && stat(path, &there) == 0 && here.st_dev == there.st_dev
      && here.st_ino == there.st_ino
  }

  private static func path(of folder: OpenFile) -> String? {
    var bytes = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let count = readlink("/proc/self/fd/\(folder.descriptor.number)", &bytes, bytes.count - 1)
    return count > 0 ? String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
  }
}
