// swift-tools-version: 6.2
import PackageDescription

/// The CPU that the kernels are compiled for. `native` is the machine that builds; a level such as `x86-64-v4` or the name
/// of a CPU makes a build that can be carried to others. Swift's compiler knows the levels by their first CPUs only.
let asked = Context.environment["FORETOP_CPU"] ?? "native"
let cpu = ["x86-64-v3": "haswell", "x86-64-v4": "skylake-avx512"][asked] ?? asked

/// Lines are all that a release build keeps for debuggers and crash reports: types and variables would take a third of the time.
let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error), .unsafeFlags(["-gline-tables-only"], .when(configuration: .release)),
]
/// Tests look inside, and they test what users run: one build serves both.
let open: [SwiftSetting] = strict + [.unsafeFlags(["-enable-testing"])]
/// Tests that compute little themselves: optimising them takes longer than running them. What they test is optimised.
let quick: [SwiftSetting] = strict + [.unsafeFlags(["-Onone", "-gnone"], .when(configuration: .release))]
/// Arithmetic: no overflow checks, no preconditions, every instruction this CPU has.
let fast: [SwiftSetting] =
  strict + [
    .unsafeFlags(["-Ounchecked", "-Xcc", "-march=\(cpu)", "-target-cpu", cpu], .when(configuration: .release)),
    .unsafeFlags(["-Xcc", "-DFORETOP_CPU=\(asked)"]),
  ]

/// Training by several processes, where MPI is there and asked for: FORETOP_MPI=1. Nobody else needs it.
let hasMPI = Context.environment["FORETOP_MPI"] == "1"
let cluster: [Target] =
  hasMPI
  ? [
    .systemLibrary(name: "CMPI", pkgConfig: "ompi-c"),
    .target(name: "Cluster", dependencies: ["Training", "Run", "CMPI"], swiftSettings: strict),
  ] : []

/// Readers under libFuzzer, which is there only where `make fuzz` links it.
let fuzzing: [Target] =
  Context.environment["FORETOP_FUZZ"] == nil
  ? []
  : [
    .executableTarget(
      name: "Fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz", swiftSettings: strict)
  ]

/// The program contains Swift's libraries: it starts a third sooner without looking up their symbols, and runs where Swift is
/// not installed. FORETOP_STDLIB=shared is for toolchains without static libraries. The linker takes an archive's members only
/// for what stands before the archive.
let linking: [LinkerSetting] =
  Context.environment["FORETOP_STDLIB"] == "shared"
  ? []
  : [
    .unsafeFlags([
      "-static-stdlib", "-lFoundation", "-lCoreFoundation", "-lFoundationInternationalization",
      "-lFoundationEssentials", "-l_FoundationCollections", "-l_FoundationCShims", "-l_FoundationICU", "-lstdc++",
    ])
  ]

let package = Package(
  name: "foretop",
  products: [.executable(name: "foretop", targets: ["foretop"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
  ],
  targets: [
    // C libraries, each behind a shim.
    .systemLibrary(name: "CDNNL"),
    .systemLibrary(name: "CLanes"),
    .target(name: "COpenMP", linkerSettings: [.linkedLibrary("gomp")]),
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5"),
    .systemLibrary(name: "CCompression"),
    .systemLibrary(name: "CCurses"),
    .target(
      name: "CSentencePiece",
      linkerSettings: [.linkedLibrary("sentencepiece"), .linkedLibrary("sentencepiece_train")]),

    // The words all others share.
    .target(name: "Run", dependencies: [.product(name: "Yams", package: "Yams")], swiftSettings: open),

    // The engine.
    .target(name: "Corpus", dependencies: ["Run", "CCompression", "CSentencePiece"], swiftSettings: open),
    .target(name: "Kernels", dependencies: ["CDNNL", "COpenMP", "CLanes"], swiftSettings: fast),
    .target(name: "Transformer", dependencies: ["Kernels", "Run"], swiftSettings: open),
    .target(name: "Training", dependencies: ["Transformer", "Kernels", "Corpus", "Run"], swiftSettings: open),

    // The yardstick: it measures the engine with made-up data, has a clock of its own, reads no file and prints nothing.
    .target(
      name: "Benchmark", dependencies: ["Training", "Transformer", "Kernels", "Corpus", "Run"], swiftSettings: open),

    // The store.
    .target(name: "RunFile", dependencies: ["Run", "CHDF5"], swiftSettings: open),

    // A run that goes on: threads, the hub of its events, requests, buffers of checkpoints.
    .target(
      name: "Session", dependencies: ["Training", "Kernels", "Corpus", "RunFile", "Run"], swiftSettings: open),

    // The way out and in: formats of others. It knows nothing of HDF5, and reads and writes no file: values in, pieces of a
    // file out, and back.
    .target(name: "Export", dependencies: ["Run", "Corpus", "TerminalUI"], swiftSettings: open),

    // Settings × seeds: which runs there are, and what came of them in numbers. No files, no processes.
    .target(
      name: "Experiments", dependencies: ["Run", "TerminalUI", .product(name: "Yams", package: "Yams")],
      swiftSettings: open),

    // The screen.
    .target(name: "TerminalUI", dependencies: ["Run"], swiftSettings: open),
    .target(
      name: "Dashboard", dependencies: ["Experiments", "TerminalUI", "Run", .product(name: "Yams", package: "Yams")],
      swiftSettings: open),
    .target(name: "Curses", dependencies: ["TerminalUI", "CCurses"], swiftSettings: strict),

    // The program.
    .executableTarget(
      name: "foretop",
      dependencies: [
        "Benchmark", "Session", "Training", "Transformer", "Kernels", "Corpus", "Run", "RunFile", "Export",
        "Experiments", "Dashboard", "TerminalUI", "Curses",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ] + (hasMPI ? ["Cluster"] : []), swiftSettings: strict + (hasMPI ? [.define("FORETOP_MPI")] : []),
      linkerSettings: linking),

    // Tests: one target a module.
    .target(name: "Support", dependencies: ["Corpus", "Run"], path: "Tests/Support", swiftSettings: strict),
    .testTarget(name: "RunTests", dependencies: ["Run", "Support"], swiftSettings: quick),
    .testTarget(
      name: "CorpusTests", dependencies: ["Corpus", "CCompression", "Support"], exclude: ["BytePair"],
      swiftSettings: quick),
    .testTarget(name: "KernelsTests", dependencies: ["Kernels", "Support"], swiftSettings: strict),
    .testTarget(
      name: "TransformerTests", dependencies: ["Transformer", "Kernels", "Run", "Support"], swiftSettings: quick),
    .testTarget(
      name: "BenchmarkTests", dependencies: ["Benchmark", "Training", "Transformer", "Kernels", "Run"],
      swiftSettings: quick),
    .testTarget(
      name: "TrainingTests", dependencies: ["Training", "Transformer", "Kernels", "Corpus", "Run", "Support"],
      swiftSettings: quick),
    .executableTarget(
      name: "StepAllocations", dependencies: ["Training", "Corpus", "Run", "Support"], path: "Tests/StepAllocations",
      exclude: ["counter.c"], swiftSettings: strict),
    .executableTarget(
      name: "StoredLosses", dependencies: ["Training", "Kernels", "Corpus", "Run", "Support"],
      path: "Tests/StoredLosses", exclude: ["Tables"], swiftSettings: strict),
    .executableTarget(
      name: "RunFileTorture", dependencies: ["RunFile", "Run", "Support"], path: "Tests/RunFileTorture",
      swiftSettings: strict),
    .testTarget(
      name: "RunFileTests", dependencies: ["RunFile", "RunFileTorture", "Run", "Support"],
      exclude: ["Readers"],
      swiftSettings: quick),
    .testTarget(
      name: "SessionTests", dependencies: ["Session", "Training", "Corpus", "RunFile", "Run", "Support"],
      swiftSettings: quick),
    .testTarget(
      name: "ExportTests",
      dependencies: [
        "Export", "RunFile", "RunFileTorture", "Dashboard", "TerminalUI", "Training", "Transformer", "Kernels",
        "Corpus", "Run", "Support",
      ],
      exclude: ["harness.py", "llama.py", "vocabulary.py", "peer.py"], swiftSettings: quick),
    .testTarget(
      name: "ExperimentsTests", dependencies: ["Experiments", "Run", "Support"], swiftSettings: quick),
    .testTarget(name: "TerminalUITests", dependencies: ["TerminalUI", "Support"], swiftSettings: quick),
    .testTarget(
      name: "DashboardTests", dependencies: ["Dashboard", "Experiments", "TerminalUI", "Run", "Support"],
      exclude: ["Golden"],
      swiftSettings: quick),
    .target(
      name: "FuzzTargets",
      dependencies: ["Corpus", "Dashboard", "Experiments", "Export", "RunFile", "Session", "Training", "Run"],
      path: "Tests/FuzzTargets", swiftSettings: strict),
    .testTarget(
      name: "FuzzTests", dependencies: ["FuzzTargets", "Support"], exclude: ["corpus"], swiftSettings: quick),
  ] + cluster + fuzzing,
  cxxLanguageStandard: .cxx17
)
