// One-dimensional datasets that grow, and attributes: the calls of libhdf5 that run files need.
import CHDF5
import Run

/// A dataset of an open file.
final class Dataset {
  let file: File
  /// Its path in the file.
  let path: String
  private(set) var id: hid_t

  /// Creates a dataset of rows that can be appended to.
  /// - Parameter chunk: rows per chunk.
  init(creating path: String, of type: hid_t, chunk: Int, in file: File) throws {
    let what = "cannot create \(path) in \(file.path)"
    var none: hsize_t = 0
    var most = h5_unlimited()
    var rows = hsize_t(chunk)
    let space = try Handle(H5Screate_simple(1, &none, &most), what)
    let creation = try Handle(H5Pcreate(h5_dataset_creation()), what)
    try HDF5.check(H5Pset_chunk(creation.id, 1, &rows), what)
    try HDF5.check(H5Pset_attr_phase_change(creation.id, 64, 32), what)
    self.file = file
    self.path = path
    id = try HDF5.check(
      H5Dcreate2(file.id, path, type, space.id, h5_default(), creation.id, h5_default()), what)
  }

  deinit { close() }

  func close() {
    if id >= 0 { H5Idec_ref(id) }
    id = -1
  }

  /// See `File.abandon`.
  func abandon() { id = -1 }

  /// Opens a dataset of rows. Refuses what this program never writes: other ranks, filters, external storage, virtual
  /// datasets, links to other files.
  /// - Parameter type: the only type that the values may have; nil if the caller checks the type.
  init(opening path: String, of type: hid_t? = nil, in file: File) throws {
    let what = "cannot open \(path) in \(file.path)"
    try HDF5Group.requireHardLinks(to: path, in: file)
    self.file = file
    self.path = path
    id = try HDF5.check(H5Dopen2(file.id, path, h5_default()), what)
    let space = try Handle(H5Dget_space(id), what)
    guard H5Sget_simple_extent_ndims(space.id) == 1 else {
      throw UserError(.data, "\(path) in \(file.path) does not have one dimension: this is not a run file of foretop")
    }
    try Self.requirePlain(id, path, file)
    guard let type else { return }
    let stored = try Handle(H5Dget_type(id), what)
    guard H5Tequal(stored.id, type) > 0 else {
      throw UserError(.data, "\(path) in \(file.path) has a type that foretop does not write there: not opened")
    }
  }

  /// - Throws: `UserError` when the dataset's bytes are not stored plainly in the file.
  static func requirePlain(_ id: hid_t, _ path: String, _ file: File) throws {
    let creation = try Handle(H5Dget_create_plist(id), "cannot examine \(path) in \(file.path)")
    let layout = H5Pget_layout(creation.id)
    guard layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED, H5Pget_external_count(creation.id) == 0,
      H5Pget_nfilters(creation.id) == 0
    else {
      throw UserError(.data, "\(path) in \(file.path) is external, virtual or filtered: not opened")
    }
    let type = try Handle(H5Dget_type(id), "cannot examine \(path) in \(file.path)")
    guard H5Tdetect_class(type.id, H5T_VLEN) == 0, H5Tis_variable_str(type.id) == 0,
      H5Tdetect_class(type.id, H5T_REFERENCE) == 0
    else {
      throw UserError(.data, "\(path) in \(file.path) has values of variable length or references: not opened")
    }
  }

  /// Number of rows whose bytes are in the file. After a killed writer, the dataset's extent may be larger.
  /// - Throws: `UserError` when the extent is larger than the file can hold.
  func count() throws -> Int {
    let what = "cannot read the size of \(path) in \(file.path)"
    let space = try Handle(H5Dget_space(id), what)
    let type = try Handle(H5Dget_type(id), what)
    let promised = Int(try HDF5.check(H5Sget_simple_extent_npoints(space.id), what))
    let creation = try Handle(H5Dget_create_plist(id), what)
    var chunk: hsize_t = 0
    let stored: Int
    if H5Pget_layout(creation.id) == H5D_CHUNKED {
      try HDF5.check(H5Pget_chunk(creation.id, 1, &chunk), what)
      let rows = max(1, Int(clamping: chunk))
      let (all, isTooLarge) = try Self.storedChunks(id, of: promised, rows: rows, what).multipliedReportingOverflow(
        by: rows)
      stored = isTooLarge ? promised : all
    } else {
      stored = Int(clamping: H5Dget_storage_size(id)) / max(1, H5Tget_size(type.id))
    }
    guard promised - stored <= Int(file.end), min(promised, stored) <= Int(file.end) / max(1, H5Tget_size(type.id))
    else {
      throw UserError(.data, "\(path) in \(file.path) claims \(promised) rows, which the file cannot hold: not opened")
    }
    return min(promised, stored)
  }

  /// Number of leading chunks that are allocated in the file. (libhdf5's own call for the stored size would go through
  /// all chunks.)
  /// - Parameters:
  ///   - promised: the extent in rows.
  ///   - rows: rows per chunk.
  /// - Throws: `UserError` when the kernel refuses to read.
  static func storedChunks(_ id: hid_t, of promised: Int, rows: Int, _ what: String) throws -> Int {
    guard promised > 0 else { return 0 }
    func isStored(_ chunk: Int) throws -> Bool {
      var offset = hsize_t(chunk * rows)
      var bytes: hsize_t = 0
      // It fails where there is no index of chunks yet, or a damaged one.
      return try HDF5.has(H5Dget_chunk_storage_size(id, &offset, &bytes) < 0 ? -1 : 1, what) && bytes > 0
    }
    let last = (promised - 1) / rows
    var (stored, missing, looked) = (0, last + 1, last)
    while stored < missing {
      if try isStored(looked) { stored = looked + 1 } else { missing = looked }
      looked = stored + (missing - stored) / 2
    }
    return stored
  }

  /// Resizes it.
  func resize(to rows: Int) throws {
    var extent = hsize_t(rows)
    try HDF5.check(H5Dset_extent(id, &extent), "cannot make room in \(path) of \(file.path)")
  }

  /// Writes rows that exist.
  func write(_ bytes: UnsafeRawPointer?, of type: hid_t, at start: Int, count: Int) throws {
    guard count > 0 else { return }
    let what = "cannot write \(path) in \(file.path)"
    let selected = try selection(start, count, what)
    try HDF5.check(H5Dwrite(id, type, selected.memory.id, selected.part.id, HDF5.transfer, bytes), what)
  }

  /// Reads rows that exist.
  func read(into bytes: UnsafeMutableRawPointer?, of type: hid_t, at start: Int, count: Int) throws {
    guard count > 0 else { return }
    let what = "cannot read \(path) in \(file.path)"
    let selected = try selection(start, count, what)
    try HDF5.check(H5Dread(id, type, selected.memory.id, selected.part.id, HDF5.transfer, bytes), what)
  }

  private func selection(_ start: Int, _ count: Int, _ what: String) throws -> Selection {
    var from = hsize_t(start)
    var rows = hsize_t(count)
    let part = try Handle(H5Dget_space(id), what)
    try HDF5.check(H5Sselect_hyperslab(part.id, H5S_SELECT_SET, &from, nil, &rows, nil), what)
    return Selection(part: part, memory: try Handle(H5Screate_simple(1, &rows, nil), what))
  }
}

/// A selection of rows in a dataset and of as many in memory.
private struct Selection: ~Copyable {
  let part: Handle
  let memory: Handle
}

extension HDF5 {
  /// The type of UTF-8 strings of a fixed number of bytes, padded with zeros.
  static func text(_ width: Int, _ what: @autoclosure () -> String) throws -> Handle {
    let type = try Handle(H5Tcopy(h5_string()), what())
    try check(H5Tset_size(type.id, width), what())
    try check(H5Tset_cset(type.id, H5T_CSET_UTF8), what())
    try check(H5Tset_strpad(type.id, H5T_STR_NULLPAD), what())
    return type
  }
}
