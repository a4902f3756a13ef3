// Everything that is in an HDF5 file, looked at before its numbers are believed: what foretop never writes is refused, even
// where nobody would read it.
import CHDF5
import Run

enum Structure {
  /// More than any run has, and little enough to be looked at in an instant.
  private static let mostObjects = 20_000
  private static let mostNames = 1000
  private static let mostAttributes = 64
  private static let deepest = 12
  private static let largestChunk = 1 << 20

  /// - Parameter unread: a group that is not looked into, since the caller does not read it.
  /// - Throws: `UserError` where there is a link to elsewhere, a cycle, a type of variable length or a reference, a filter,
  ///   a place outside the file, or more of anything than a run has.
  static func check(_ file: File, without unread: String? = nil) throws {
    var seen: Set<haddr_t> = []
    var waiting = [(path: "/", depth: 0)]
    while let (path, depth) = waiting.popLast() {
      let what = "cannot examine \(path) in \(file.path)"
      let opened = try Handle(H5Oopen(file.id, path, h5_default()), what)
      var object = h5_object()
      try HDF5.check(h5_look(opened.id, &object), what)
      // A second name of the same thing, as loss/step is of step, is no more to be looked at.
      guard seen.insert(object.address).inserted else {
        if object.type == Int32(H5O_TYPE_GROUP.rawValue) {
          throw refusal(file, path, "is a group in itself, or has two names")
        }
        continue
      }
      guard seen.count <= mostObjects else { throw refusal(file, path, "is one of more than \(mostObjects) objects") }
      try checkAttributes(opened.id, path, object, file)
      switch object.type {
      case Int32(H5O_TYPE_DATASET.rawValue): try checkDataset(opened.id, path, file)
      case Int32(H5O_TYPE_GROUP.rawValue):
        guard depth < deepest else { throw refusal(file, path, "is nested too deep") }
        for name in try names(opened.id, path, file) {
          let below = path == "/" ? "/\(name)" : "\(path)/\(name)"
          guard h5_link_type(opened.id, name) == 0 else { throw refusal(file, below, "is a link to somewhere else") }
          if below == unread { continue }
          waiting.append((below, depth + 1))
        }
      default: throw refusal(file, path, "is neither a group nor a dataset")
      }
    }
  }

  private static func refusal(_ file: File, _ path: String, _ why: String) -> UserError {
    UserError(.data, "\(path.prefix(200)) in \(file.path) \(why): not opened")
  }

  private static func names(_ group: hid_t, _ path: String, _ file: File) throws -> [String] {
    var info = H5G_info_t()
    try HDF5.check(H5Gget_info(group, &info), "cannot list \(path) in \(file.path)")
    guard info.nlinks <= mostNames, !info.mounted else { throw refusal(file, path, "has \(info.nlinks) names") }
    let names = try Group.names(in: path, of: file)
    guard names.allSatisfy({ !$0.isEmpty && $0 != "." && !$0.contains("/") && $0.utf8.count < 200 }),
      Set(names).count == names.count
    else { throw refusal(file, path, "has a name in it that is none") }
    return names
  }

  private static func checkAttributes(
    _ id: hid_t, _ path: String, _ object: h5_object, _ file: File
  ) throws {
    guard object.attributes <= mostAttributes else { throw refusal(file, path, "has \(object.attributes) attributes") }
    for index in 0..<object.attributes {
      let what = "cannot examine an attribute of \(path) in \(file.path)"
      let attribute = try Handle(
        H5Aopen_by_idx(
          id, ".", H5_INDEX_NAME, H5_ITER_NATIVE, hsize_t(index), h5_default(), h5_default()), what)
      let type = try Handle(H5Aget_type(attribute.id), what)
      try checkType(type.id, path, file)
      guard H5Aget_storage_size(attribute.id) <= 1 << 16 else { throw refusal(file, path, "has a huge attribute") }
    }
  }

  /// Numbers, texts of fixed length, and records of these.
  private static func checkType(_ type: hid_t, _ path: String, _ file: File) throws {
    let isPlain =
      switch H5Tget_class(type) {
      case H5T_INTEGER, H5T_FLOAT: true
      case H5T_STRING: H5Tis_variable_str(type) == 0
      case H5T_COMPOUND:
        H5Tdetect_class(type, H5T_VLEN) == 0 && H5Tdetect_class(type, H5T_REFERENCE) == 0
          && H5Tdetect_class(type, H5T_ARRAY) == 0 && H5Tget_nmembers(type) <= 64
      default: false
      }
    guard isPlain, H5Tget_size(type) <= 1 << 16 else {
      throw refusal(file, path, "has values of variable length, references, or of a kind that foretop does not write")
    }
  }

  private static func checkDataset(_ dataset: hid_t, _ path: String, _ file: File) throws {
    let what = "cannot examine \(path) in \(file.path)"
    try Dataset.requirePlain(dataset, path, file)
    let type = try Handle(H5Dget_type(dataset), what)
    try checkType(type.id, path, file)
    let space = try Handle(H5Dget_space(dataset), what)
    let rank = H5Sget_simple_extent_ndims(space.id)
    var extent = [hsize_t](repeating: 0, count: 4)
    guard (1...4).contains(rank), H5Sget_simple_extent_dims(space.id, &extent, nil) == rank else {
      throw refusal(file, path, "has \(rank) dimensions")
    }
    var elements: UInt64 = 1
    for length in extent.prefix(Int(rank)) {
      let (product, overflow) = elements.multipliedReportingOverflow(by: length)
      guard !overflow, product < 1 << 48 else { throw refusal(file, path, "claims more than any file can hold") }
      elements = product
    }
    let creation = try Handle(H5Dget_create_plist(dataset), what)
    let size = UInt64(H5Tget_size(type.id))
    guard H5Pget_layout(creation.id) == H5D_CHUNKED else {
      let place = H5Dget_offset(dataset)
      guard elements == 0 || (place != h5_undefined_address() && within(place, elements * size, file)) else {
        throw refusal(file, path, "does not lie inside the file")
      }
      return
    }
    var chunk = [hsize_t](repeating: 0, count: 4)
    guard rank == 1, H5Pget_chunk(creation.id, 4, &chunk) == 1, chunk[0] > 0, chunk[0] <= UInt64(largestChunk),
      chunk[0] * size <= UInt64(largestChunk)
    else { throw refusal(file, path, "has other chunks than foretop writes") }
    try checkChunks(dataset, elements, chunk[0], chunk[0] * size, path, file)
  }

  /// libhdf5 goes through all chunks to find one: of more than these only the last is looked at.
  private static let mostChunks: UInt64 = 16

  /// Every chunk has its place in the file, and none is that of another. In a long file that is so of the last one, where a
  /// writer goes on; what reads the others finds out by the checksums of their rows.
  private static func checkChunks(
    _ dataset: hid_t, _ elements: UInt64, _ rows: UInt64, _ bytes: UInt64, _ path: String, _ file: File
  ) throws {
    let count = (elements + rows - 1) / rows
    // A writer that was killed may have promised one more than there is.
    guard count <= UInt64(file.end) / bytes + 2 else { throw refusal(file, path, "claims more than the file can hold") }
    var last: haddr_t = 0
    var places: Set<haddr_t> = []
    var looked = 0..<count
    if count > mostChunks {
      let stored = UInt64(max(1, Dataset.storedChunks(dataset, of: Int(elements), rows: Int(rows))))
      looked = stored - 1..<stored
    }
    for index in looked {
      var coordinate = index * rows
      var mask: UInt32 = 0
      var length: hsize_t = 0
      try HDF5.check(
        H5Dget_chunk_info_by_coord(dataset, &coordinate, &mask, &last, &length),
        "cannot find the rows from \(coordinate) on of \(path) in \(file.path)")
      guard last != h5_undefined_address() else { continue }
      guard length == bytes, mask == 0, within(last, bytes, file), places.insert(last).inserted else {
        throw refusal(file, path, "has rows that do not lie in the file, or lie over others")
      }
    }
  }

  private static func within(_ place: haddr_t, _ bytes: UInt64, _ file: File) -> Bool {
    let end = UInt64(file.end)
    return bytes <= end && place <= end - bytes
  }
}
