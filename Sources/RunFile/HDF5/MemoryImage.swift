// A copy of a file in memory, which libhdf5 may change: for readers of a run that was killed. Holes of the file take no
// memory.
import CHDF5
import Foundation
import Run

final class MemoryImage {
  // Handed to libhdf5, which keeps it until it closes the file.
  private var base: UnsafeMutableRawPointer
  private let count: Int
  /// Reserved bytes of address space; only pages that are touched take memory.
  private var reserved: Int
  /// Bytes by which the image can grow before it is moved.
  private static let spare = 64 << 20

  /// Reads a file.
  /// - Parameters:
  ///   - length: the bytes of content; the rest of the file may be a hole.
  ///   - count: the size of the image, at least `length`; padded with zeros.
  /// - Throws: `UserError` when the file cannot be read, or memory is short.
  init(reading file: borrowing FileDescriptor, length: Int, count: Int) throws {
    (self.count, reserved) = (count, count + Self.spare)
    let path = file.path
    func refusal() -> UserError {
      UserError(
        .unavailable,
        "\(path) was left open by a writer that was killed, and there is not enough memory for its \(length) bytes: “foretop "
          + "recover” closes the file without loading it into memory")
    }
    if let free = Host.freeMemory, length > free { throw refusal() }
    guard let made = Self.mapped(reserved) else { throw refusal() }
    base = made
    var place = 0
    while place < length, let start = StoredSize.next(from: place, of: file.number), start < length {
      let piece = UnsafeMutableRawBufferPointer(start: base + start, count: min(Self.spare, length - start))
      let read = try file.read(into: piece, at: start)
      if read < piece.count { break }
      place = start + read
    }
  }

  deinit { munmap(base, reserved) }

  /// The first bytes of the image.
  func start(_ count: Int) -> [UInt8] { Array(UnsafeRawBufferPointer(start: base, count: min(count, self.count))) }

  func write(_ bytes: [UInt8]) { bytes.withUnsafeBytes { base.copyMemory(from: $0.baseAddress!, byteCount: $0.count) } }

  private static func mapped(_ count: Int) -> UnsafeMutableRawPointer? {
    let made = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    return made == MAP_FAILED ? nil : made
  }

  /// Resizes it.
  /// - Returns: the new address; nil if memory is short.
  private func resize(to size: Int) -> UnsafeMutableRawPointer? {
    guard size > reserved else { return base }
    guard let larger = Self.mapped(size + size / 2) else { return nil }
    larger.copyMemory(from: base, byteCount: reserved)
    munmap(base, reserved)
    (base, reserved) = (larger, size + size / 2)
    return base
  }

  /// Lets libhdf5 open the image as a file, without a copy.
  func attach(to access: hid_t, _ what: @autoclosure () -> String) throws {
    var callbacks = H5FD_file_image_callbacks_t(
      // An open file keeps the bytes, and not what they belong to: each that has them holds it.
      image_malloc: { _, _, image in image.map { Unmanaged.passRetained(MemoryImage.of($0)).takeUnretainedValue().base }
      },
      image_memcpy: { place, _, _, _, _ in place },
      image_realloc: { _, size, _, image in image.flatMap { MemoryImage.of($0).resize(to: size) } },
      image_free: { _, _, image in MemoryImage.release(image) },
      udata_copy: { image in
        image.map { UnsafeMutableRawPointer(Unmanaged.passRetained(MemoryImage.of($0)).toOpaque()) }
      },
      udata_free: { image in MemoryImage.release(image) },
      udata: Unmanaged.passUnretained(self).toOpaque())
    try HDF5.check(H5Pset_fapl_core(access, 1 << 20, false), what())
    try HDF5.check(H5Pset_file_image_callbacks(access, &callbacks), what())
    try HDF5.check(H5Pset_file_image(access, base, count), what())
  }

  private static func release(_ image: UnsafeMutableRawPointer?) -> herr_t {
    if let image { Unmanaged<MemoryImage>.fromOpaque(image).release() }
    return 0
  }

  private static func of(_ image: UnsafeMutableRawPointer) -> MemoryImage {
    Unmanaged<MemoryImage>.fromOpaque(image).takeUnretainedValue()
  }
}

extension Host {
  /// Bytes of available memory; nil if unknown.
  static var freeMemory: Int? {
    guard let file = try? FileDescriptor(opening: "/proc/meminfo", O_RDONLY),
      let text = try? String(decoding: file.read(at: 0, count: 4096), as: UTF8.self)
    else { return nil }
    let words = text.split(whereSeparator: \.isWhitespace)
    guard let place = words.firstIndex(of: "MemAvailable:"), place + 1 < words.count else { return nil }
    return Int(words[place + 1]).map { $0 * 1024 }
  }
}
