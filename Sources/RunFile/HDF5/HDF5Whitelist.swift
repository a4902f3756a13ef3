// Checks everything that foretop reads of an HDF5 file before its values are used: what foretop never writes is
// refused. Objects that other programs added are never read, and stay; only links to other files are refused.
import CHDF5
import Run

enum HDF5Whitelist {
  private static let largestChunk = 1 << 20
  /// The most names per group or object that are searched for foreign ones.
  private static let mostNames = 1000
  /// The most foreign names that are reported.
  private static let mostSaid = 5

  /// Checks everything that is read of a run's file.
  /// - Parameter withOverview: whether the overview is read.
  /// - Throws: `UserError` when something has a type of variable length or a reference, is filtered, outside the file
  ///   or overlapping, and when a link leads to another file.
  static func check(_ store: Store, withOverview: Bool = true) throws {
    try check(store.file, store.paths + (withOverview ? store.overview()?.paths ?? [] : []))
  }

  /// - Parameter paths: of the datasets that are read.
  static func check(_ file: File, _ paths: [String]) throws {
    var seen: [haddr_t: String] = [:]
    for path in paths {
      try HDF5Group.requireHardLinks(to: path, in: file)
      let what = "cannot examine \(path) in \(file.path)"
      let opened = try Handle(H5Oopen(file.id, path, h5_default()), what)
      var object = h5_object()
      try HDF5.check(h5_look(opened.id, &object), what)
      guard object.type == Int32(H5O_TYPE_DATASET.rawValue) else { throw refusal(file, path, "is not a dataset") }
      if let other = seen.updateValue(path, forKey: object.address) {
        throw refusal(file, path, "is the same dataset as \(other)")
      }
      try checkDataset(opened.id, path, file)
    }
    for group in groups(of: paths) {
      for name in try names(in: group, of: file) where h5_link_type(file.id, below(group, name)) > 1 {
        throw refusal(
          file, below(group, name),
          "is a link to another file, which foretop does not follow; remove it, in h5py with "
            + "“del file[\"\(below(group, name))\"]”"
        )
      }
    }
  }

  /// Objects that foretop did not write in a run's file, in words: `the attribute “note” of /`. They are not read.
  static func strangers(in store: Store) throws -> [String] {
    let file = store.file
    let groups = groups(of: store.paths)
    // What is in the overview is not looked through: it has a thousand names.
    let own = Set(store.paths + groups + ["/overview"])
    var strangers: [String] = []
    for group in groups {
      for name in try names(in: group, of: file) {
        let path = below(group, name)
        // Groups that are plotted have the steps under a second name.
        if !own.contains(path), name != "step" { strangers.append(path) }
      }
    }
    for path in groups + store.paths where strangers.count < mostNames {
      strangers += try attributes(of: path, file).filter { !attributeNames.contains($0) }
        .map { "the attribute “\($0)” of \(path)" }
    }
    let said = strangers.prefix(mostSaid).map(\.harmlessLine)
    let more = strangers.count - said.count
    return said + (more > 0 ? ["\(more) more"] : [])
  }

  /// The names of all attributes that foretop writes.
  private static let attributeNames: Set<String> = [
    "format", "formatVersion", "name", "created", "version", "seed", "threads", "ranks", "parameters", "NX_class",
    "default", "readme", "parent", "parentStep", "parentCreated", "checkpointCreated", "machine", "program", "tokens",
    "precision", "corpus", "units", "long_name", "columns", "signal", "axes", "auxiliary_signals",
  ]

  private static func below(_ group: String, _ name: String) -> String {
    group == "/" ? "/" + name : "\(group)/\(name)"
  }

  /// The groups of datasets, the root first.
  private static func groups(of paths: [String]) -> [String] {
    var groups: Set<String> = []
    for path in paths {
      var group = path.parentFolder
      while group.count > 1, groups.insert(group).inserted { group = group.parentFolder }
    }
    return ["/"] + groups.sorted()
  }

  /// The first names in a group.
  private static func names(in group: String, of file: File) throws -> [String] {
    try HDF5Group.names(in: group, of: file, most: mostNames)
  }

  private static func attributes(of path: String, _ file: File) throws -> [String] {
    let what = "cannot list the attributes of \(path) in \(file.path)"
    let opened = try Handle(H5Oopen(file.id, path, h5_default()), what)
    var object = h5_object()
    try HDF5.check(h5_look(opened.id, &object), what)
    return (0..<min(object.attributes, mostNames)).compactMap { index in
      var buffer = [CChar](repeating: 0, count: 256)
      let length = H5Aget_name_by_idx(
        opened.id, ".", H5_INDEX_NAME, H5_ITER_NATIVE, hsize_t(index), &buffer, 255, h5_default())
      return length < 0 ? nil : String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
  }

  private static func refusal(_ file: File, _ path: String, _ why: String) -> UserError {
    UserError(.data, "\(path.prefix(200)) in \(file.path) \(why): not opened")
  }

  /// Accepts numbers, strings of fixed length, and records of these.
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
      throw refusal(file, path, "has a type that foretop does not write, such as variable length or references")
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
    else { throw refusal(file, path, "has chunks of a size that foretop does not write") }
    try checkChunks(dataset, elements, chunk[0], chunk[0] * size, path, file)
  }

  /// If a dataset has more chunks, only the last one is checked, since libhdf5 goes through all chunks to find one.
  private static let mostChunks: UInt64 = 16

  /// Checks that every chunk lies in the file and overlaps no other. In a long file, only the last chunk is checked, to
  /// which a writer appends; readers of the others check the checksums of their rows.
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
      let stored = try UInt64(max(1, Dataset.storedChunks(dataset, of: Int(elements), rows: Int(rows), path)))
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
        throw refusal(file, path, "has rows outside the file, or rows that overlap")
      }
    }
  }

  private static func within(_ place: haddr_t, _ bytes: UInt64, _ file: File) -> Bool {
    let end = UInt64(file.end)
    return bytes <= end && place <= end - bytes
  }
}
