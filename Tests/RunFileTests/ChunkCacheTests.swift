// The memory that libhdf5 keeps for the datasets of a run does not grow with the run.
import CHDF5
import RunFileTorture
import Testing

@testable import RunFile

extension RunFileTests {
  @Suite struct ChunkCaches {
    let scratch = ScratchFolder()

    /// Bytes of chunks that libhdf5 keeps of a dataset at most.
    private func mostBytes(of dataset: Dataset) throws -> Int {
      let access = try Handle(H5Dget_access_plist(dataset.id), "access")
      let creation = try Handle(H5Dget_create_plist(dataset.id), "creation")
      let type = try Handle(H5Dget_type(dataset.id), "type")
      var (slots, bytes, preemption, rows) = (0, 0, 0.0, hsize_t(0))
      try HDF5.check(H5Pget_chunk_cache(access.id, &slots, &bytes, &preemption), "cache")
      try HDF5.check(H5Pget_chunk(creation.id, 1, &rows), "chunk")
      let chunk = Int(rows) * H5Tget_size(type.id)
      #expect(chunk <= bytes, "a chunk of \(dataset.path) does not fit: it would be written piece by piece")
      return min(bytes, slots * chunk)
    }

    /// The bound for a whole screen is 200 MB; libhdf5's own default would allow 300 MB here.
    @Test func areBoundedTogether() throws {
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a"))
      for step in 1...70 { _ = try recorder.record(.stepped(Sample.report(step))) }
      recorder.flush()
      let store = recorder.store
      let overview = try #require(try store.overview())
      let tables = [store.metrics, store.heldout, store.texts] + overview.levels
      let datasets = tables.flatMap { table in
        table.datasets + [table.commit] + [table.ends, table.bytes].compactMap { $0 }
      }
      #expect(datasets.count > 100)
      #expect(try datasets.reduce(0) { try $0 + mostBytes(of: $1) } < 10 << 20)
      try recorder.close(.stopped)
    }
  }
}
