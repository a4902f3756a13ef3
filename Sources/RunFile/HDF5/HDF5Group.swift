// Groups and attributes of an HDF5 file.
import CHDF5
import Run

/// Groups and attributes.
enum HDF5Group {
  /// Creates a group; its parent exists.
  static func create(_ path: String, in file: File) throws {
    let what = "cannot create \(path) in \(file.path)"
    let creation = try Handle(H5Pcreate(h5_group_creation()), what)
    try File.keepCompact(creation.id, what)
    _ = try Handle(H5Gcreate2(file.id, path, h5_default(), creation.id, h5_default()), what)
  }

  /// The names in a group, sorted, or the first of them.
  static func names(in path: String, of file: File, most: Int = .max) throws -> [String] {
    let what = "cannot list \(path) in \(file.path)"
    let group = try Handle(H5Gopen2(file.id, path, h5_default()), what)
    var info = H5G_info_t()
    try HDF5.check(H5Gget_info(group.id, &info), what)
    return try (0..<min(info.nlinks, hsize_t(most))).map { index in
      var buffer = [UInt8](repeating: 0, count: 256)
      try buffer.withUnsafeMutableBytes { bytes in
        _ = try HDF5.check(
          H5Lget_name_by_idx(
            group.id, ".", H5_INDEX_NAME, H5_ITER_INC, index, bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
            255, h5_default()), what)
      }
      return String(decoding: buffer.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// True if the object exists.
  static func has(_ path: String, in file: File) throws -> Bool {
    var passed = ""
    for name in path.split(separator: "/") {
      passed += "/" + name
      let isThere = try HDF5.has(H5Lexists(file.id, passed, h5_default()), "cannot look for \(passed) in \(file.path)")
      if !isThere { return false }
    }
    return true
  }

  /// - Throws: `UserError` when a part of the path is missing, or is a soft or external link.
  static func requireHardLinks(to path: String, in file: File) throws {
    var passed = ""
    for name in path.split(separator: "/") {
      passed += "/" + name
      guard !file.hardLinks.contains(passed) else { continue }
      let type = h5_link_type(file.id, passed)
      guard try HDF5.has(type < 0 ? -1 : 1, "cannot look for \(passed) in \(file.path)") else {
        throw UserError(
          .data, "\(passed) is missing in \(file.path): this is not a run file of foretop, or it is damaged")
      }
      guard type == 0 else {
        throw UserError(.data, "\(passed) in \(file.path) is a link to somewhere else: not opened")
      }
      file.hardLinks.insert(passed)
    }
  }

  /// Sets an attribute to a string of fixed length.
  static func set(_ name: String, _ text: String, on path: String, in file: File) throws {
    try set(name, [text], isList: false, on: path, in: file)
  }

  /// Sets an attribute to strings of fixed length.
  static func set(_ name: String, _ texts: [String], isList: Bool = true, on path: String, in file: File) throws {
    let what = "cannot write the attribute \(name) of \(path) in \(file.path)"
    let width = max(1, texts.map(\.utf8.count).max() ?? 1)
    let type = try HDF5.text(width, what)
    var count = hsize_t(texts.count)
    let space = try Handle(isList ? H5Screate_simple(1, &count, nil) : H5Screate(H5S_SCALAR), what)
    let bytes = texts.flatMap { Array($0.utf8) + [UInt8](repeating: 0, count: width - $0.utf8.count) }
    try write(name, bytes, type.id, type.id, space, path, file, what)
  }

  /// Sets an attribute to an unsigned integer.
  static func set(_ name: String, _ number: UInt64, on path: String, in file: File) throws {
    let what = "cannot write the attribute \(name) of \(path) in \(file.path)"
    let space = try Handle(H5Screate(H5S_SCALAR), what)
    try write(name, [number], h5_u64(), h5_memory_u64(), space, path, file, what)
  }

  /// Sets an attribute to a floating-point number.
  static func set(_ name: String, _ number: Double, on path: String, in file: File) throws {
    let what = "cannot write the attribute \(name) of \(path) in \(file.path)"
    let space = try Handle(H5Screate(H5S_SCALAR), what)
    try write(name, [number], h5_f64(), h5_memory_double(), space, path, file, what)
  }

  private static func write<Value>(
    _ name: String, _ values: [Value], _ type: hid_t, _ memory: hid_t, _ space: borrowing Handle, _ path: String,
    _ file: File, _ what: String
  ) throws {
    let object = try Handle(H5Oopen(file.id, path, h5_default()), what)
    let attribute = try Handle(H5Acreate2(object.id, name, type, space.id, h5_default(), h5_default()), what)
    try HDF5.check(values.withUnsafeBytes { H5Awrite(attribute.id, memory, $0.baseAddress) }, what)
  }

  /// Reads an unsigned integer attribute; nil if there is none.
  static func number(_ name: String, on path: String, in file: File) throws -> UInt64? {
    try scalar(name, on: path, in: file, H5T_INTEGER, h5_memory_u64(), UInt64(0))
  }

  /// Reads a floating-point attribute; nil if there is none.
  static func fraction(_ name: String, on path: String, in file: File) throws -> Double? {
    try scalar(name, on: path, in: file, H5T_FLOAT, h5_memory_double(), 0.0)
  }

  /// Reads an attribute with one value of a type class; nil if there is none. `memory` is the HDF5 type of `initial` in
  /// memory.
  private static func scalar<Value>(
    _ name: String, on path: String, in file: File, _ kind: H5T_class_t, _ memory: hid_t, _ initial: Value
  ) throws -> Value? {
    try read(name, on: path, in: file) { attribute, type, what in
      guard H5Tget_class(type) == kind else { return nil }
      var value = initial
      try HDF5.check(withUnsafeMutableBytes(of: &value) { H5Aread(attribute, memory, $0.baseAddress) }, what)
      return value
    }
  }

  /// Reads a string attribute of fixed length; nil if there is none.
  static func text(_ name: String, on path: String, in file: File) throws -> String? {
    try read(name, on: path, in: file) { attribute, type, what in
      guard H5Tget_class(type) == H5T_STRING, H5Tis_variable_str(type) == 0, H5Tget_size(type) <= 1 << 16 else {
        return nil
      }
      var bytes = [UInt8](repeating: 0, count: H5Tget_size(type))
      try HDF5.check(bytes.withUnsafeMutableBytes { H5Aread(attribute, type, $0.baseAddress) }, what)
      return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// Calls `body` with an attribute of one value and its type, and the words for a failure.
  /// - Returns: nil where the object lacks the attribute, or where the attribute has several values.
  private static func read<Value>(
    _ name: String, on path: String, in file: File,
    _ body: (_ attribute: hid_t, _ type: hid_t, _ what: String) throws -> Value?
  ) throws -> Value? {
    let what = "cannot read the attribute \(name) of \(path) in \(file.path)"
    let object = try Handle(H5Oopen(file.id, path, h5_default()), what)
    guard try HDF5.has(H5Aexists(object.id, name), what) else { return nil }
    let attribute = try Handle(H5Aopen(object.id, name, h5_default()), what)
    let space = try Handle(H5Aget_space(attribute.id), what)
    let type = try Handle(H5Aget_type(attribute.id), what)
    return H5Sget_simple_extent_npoints(space.id) == 1 ? try body(attribute.id, type.id, what) : nil
  }
}
