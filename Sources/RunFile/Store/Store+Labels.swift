// What a file says of itself, in attributes that other tools read.
import CHDF5
import Run

extension Store {
  /// Says at the root of the file what it is and what computed the run.
  static func label(_ file: File, _ beginning: Beginning) throws {
    let texts = [
      ("format", FileLayout.format), ("name", beginning.name), ("version", Version.text), ("NX_class", "NXroot"),
      ("default", "metrics"), ("readme", FileLayout.readme), ("precision", beginning.precision),
      ("corpus", beginning.corpus),
    ]
    for (name, text) in texts { try HDF5Group.set(name, text, on: "/", in: file) }
    if let place = beginning.place {
      for (name, text) in [("machine", place.machine), ("program", place.program), ("tokens", place.tokens)] {
        try HDF5Group.set(name, text, on: "/", in: file)
      }
    }
    let numbers = [
      ("formatVersion", FileLayout.formatVersion), ("seed", beginning.recipe.seed),
      ("threads", UInt64(beginning.threads)), ("ranks", UInt64(beginning.ranks)),
      ("parameters", UInt64(beginning.parameters)),
    ]
    for (name, number) in numbers { try HDF5Group.set(name, number, on: "/", in: file) }
    try HDF5Group.set("created", beginning.parent?.branched ?? beginning.time, on: "/", in: file)
    try beginning.parent.map { try label(file, $0) }
  }

  /// Says where a branch comes from.
  private static func label(_ file: File, _ parent: ParentRun) throws {
    try HDF5Group.set("parent", parent.name, on: "/", in: file)
    try HDF5Group.set("parentStep", UInt64(parent.step), on: "/", in: file)
    for (name, time) in [("parentCreated", parent.created), ("checkpointCreated", parent.checkpoint)] {
      if let time { try HDF5Group.set(name, time, on: "/", in: file) }
    }
  }

  /// Labels groups for h5web and NeXpy, which then plot the losses over the steps.
  static func labelPlots(_ file: File, _ groups: [String]) throws {
    for root in ["/metrics", "/heldout"] {
      try HDF5Group.set("NX_class", "NXentry", on: root, in: file)
      try HDF5Group.set("default", "loss", on: root, in: file)
    }
    for group in try ["/recipe", "/samples", "/samples/text", "/samples/order", "/beginnings", "/overview"]
      + (HDF5Group.has(mapGroup, in: file) ? [mapGroup] : [])
    {
      try HDF5Group.set("NX_class", "NXcollection", on: group, in: file)
    }
    for group in groups {
      let root = group.hasPrefix("/metrics") ? "/metrics" : "/heldout"
      let what = "cannot link \(group)/step in \(file.path)"
      try HDF5.check(
        H5Lcreate_hard(file.id, root + "/step", file.id, group + "/step", h5_default(), h5_default()), what)
      let names = try HDF5Group.names(in: group, of: file).filter { $0 != "step" }
      guard let signal = names.contains("total") ? "total" : names.first else { continue }
      try HDF5Group.set("NX_class", "NXdata", on: group, in: file)
      try HDF5Group.set("signal", signal, on: group, in: file)
      try HDF5Group.set("axes", "step", on: group, in: file)
      let others = names.filter { $0 != signal }
      if !others.isEmpty { try HDF5Group.set("auxiliary_signals", others, on: group, in: file) }
    }
  }

  /// The group of a column below its table's group.
  static func folder(_ path: String) -> String? {
    let parts = path.split(separator: "/")
    return parts.count > 2 ? "/" + parts.dropLast().joined(separator: "/") : nil
  }
}

/// The version of foretop and HDF5 that wrote the file.
enum Version {
  static let text = "foretop 1, HDF5 \(H5_VERS_MAJOR).\(H5_VERS_MINOR).\(H5_VERS_RELEASE)"
}
