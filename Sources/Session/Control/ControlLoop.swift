// What the control socket's thread does: it waits in poll(2) for peers, looks at the session's events, and never waits for a peer.
import Glibc
import Run

struct ControlLoop {
  private let listener: ControlListener
  private let wake: CInt
  private let name: String
  private let subscription: Subscription
  private let requests: RequestQueue
  /// Stops a run that is being set up; false once it has begun.
  private let cancel: @Sendable () -> Bool
  /// What a run that is being set up is doing.
  private var preparing = "its folder is made"
  private var ring = EventRing()
  private var pace = ControlPace()
  private var state = RunState()
  private var peers: [CInt: ControlPeer] = [:]
  /// The peer and the peer's id of each request, by the request's number in the session.
  private var asked: [Int: (peer: CInt, id: JSON?)] = [:]
  /// True if the session has sent its last event.
  private var isClosed = false
  private var isListening = true
  /// When peers were last told how an evaluation gets on.
  private var toldAt: ContinuousClock.Instant?

  /// The most connections at once; further ones get an error and are closed.
  private static let mostPeers = 64
  /// Connections that are taken in a round.
  private static let mostAccepted = 8
  /// Milliseconds between two looks at the events: while an answer is due, while a peer is subscribed, and otherwise.
  private static let (soon, often, seldom): (CInt, CInt, CInt) = (5, 50, 500)
  /// Milliseconds that peers have at the end to read the remaining output.
  private static let patience = 1000

  init(
    listener: ControlListener, wake: CInt, name: String, subscription: Subscription, requests: RequestQueue,
    cancel: @escaping @Sendable () -> Bool
  ) {
    self.listener = listener
    self.wake = wake
    self.name = name
    self.subscription = subscription
    self.requests = requests
    self.cancel = cancel
  }

  /// Whether the run has not begun yet.
  private var isSettingUp: Bool { state.beginning == nil }

  /// Serves peers until `isStopping` is true.
  mutating func run(until isStopping: () -> Bool) {
    while !isStopping() {
      wait(milliseconds: pause)
      takeEvents()
      serve()
      pace.rest()
    }
  }

  /// Takes what is left of the session, refuses the requests without an answer with a sentence, and lets peers read.
  mutating func end(refusing sentence: String) {
    takeEvents()
    refuseRest(sentence)
    if isSettingUp {
      for key in peers.keys where peers[key]!.isSubscribed { peers[key]!.refuse(sentence) }
    }
    stopListening()
    let end = ContinuousClock.now + .milliseconds(Self.patience)
    while !peers.isEmpty, ContinuousClock.now < end {
      for key in peers.keys where peers[key]!.hasAll(ring) { drop(key) }
      guard !peers.isEmpty else { break }
      wait(milliseconds: 20)
      serve()
    }
    for key in peers.keys { drop(key) }
    listener.close()
  }

  private var pause: CInt {
    if !asked.isEmpty { return Self.soon }
    return peers.values.contains(where: \.isSubscribed) ? Self.often : Self.seldom
  }

  // MARK: Waiting

  private mutating func wait(milliseconds: CInt) {
    var descriptors = [pollfd(fd: wake, events: Int16(POLLIN), revents: 0)]
    if isListening { descriptors.append(pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)) }
    let first = descriptors.count
    for peer in peers.values { descriptors.append(pollfd(fd: peer.descriptor, events: peer.interests, revents: 0)) }
    guard poll(&descriptors, nfds_t(descriptors.count), milliseconds) > 0 else { return }
    if descriptors[0].revents != 0 {
      var bytes = [UInt8](repeating: 0, count: 16)
      _ = read(wake, &bytes, bytes.count)
    }
    if isListening, descriptors[1].revents != 0 {
      // Who comes hears how things are now.
      takeEvents()
      if isListening { accept() }
    }
    for descriptor in descriptors[first...] {
      if descriptor.revents & Int16(POLLHUP | POLLERR) != 0 {
        peers[descriptor.fd]?.hangUp()
      } else if descriptor.revents & Int16(POLLIN) != 0 {
        peers[descriptor.fd]?.read()
      }
    }
  }

  /// Accepts waiting connections, a few at a time.
  private mutating func accept() {
    for _ in 0..<Self.mostAccepted {
      let connection = Glibc.accept(listener.descriptor, nil, nil)
      guard connection >= 0 else {
        // Without a descriptor for it, it would be offered again at once, for ever.
        if errno == EMFILE || errno == ENFILE { usleep(50_000) }
        return
      }
      ControlSocket.prepare(connection, waits: false)
      guard let process = ControlSocket.ownProcess(connection) else {
        var stranger = ControlPeer(connection, process: 0)
        stranger.refuse("only the user who trains the run, and root, may connect")
        stranger.write(&ring)
        close(connection)
        continue
      }
      var peer = ControlPeer(connection, process: process)
      if peers.count < Self.mostPeers {
        peer.say(ControlAnswer.hello(name: name, state: state, preparing: isSettingUp ? preparing : nil))
        peers[connection] = peer
      } else {
        peer.refuse("\(Self.mostPeers) connections are served at once: try again when one has ended")
        peer.write(&ring)
        close(connection)
      }
    }
  }

  private mutating func stopListening() {
    isListening = false
    listener.remove()
  }

  private mutating func drop(_ key: CInt) {
    peers[key] = nil
    close(key)
    asked = asked.filter { $0.value.peer != key }
  }

  // MARK: Events

  private mutating func takeEvents() {
    for message in subscription.take() {
      switch message {
      case .event(let event):
        state.apply(event)
        ring.append(event)
        if case .occurred(let occurrence) = event.event { answer(occurrence, number: event.number) }
        // Who comes now finds nobody: what is left of the session cannot be steered.
        if case .ended = event.event {
          refuseRest("the run ended before the command had an effect")
          stopListening()
        }
      case .closed, .failed: isClosed = true
      case .preparing(let text):
        preparing = text
        for key in peers.keys where peers[key]!.isSubscribed { peers[key]!.say(ControlAnswer.preparing(text)) }
      case .evaluating(let done, let total): tell(evaluating: done, of: total)
      case .progress, .stopped, .cancelled: break
      }
    }
  }

  /// Tells the peers that asked for it how an evaluation gets on, a few times a second.
  private mutating func tell(evaluating done: Int, of total: Int) {
    let now = ContinuousClock.now
    if let toldAt, now - toldAt < .milliseconds(250) { return }
    toldAt = now
    for key in peers.keys where peers[key]!.takesProgress {
      peers[key]!.say(ControlAnswer.evaluating(done: done, total: total))
    }
  }

  private mutating func answer(_ occurrence: Occurrence, number: Int) {
    guard let request = occurrence.request, let (key, id) = asked.removeValue(forKey: request) else { return }
    let status: ControlAnswer.AnswerStatus =
      [.refused, .failure, .diverged].contains(occurrence.kind) ? .refused : .done
    peers[key]?.say(ControlAnswer.answer(id, status, step: occurrence.step, number: number, occurrence.text))
    peers[key]?.pending -= 1
  }

  /// Refuses the requests that will not be answered any more.
  private mutating func refuseRest(_ sentence: String) {
    for (key, id) in asked.sorted(by: { $0.key < $1.key }).map(\.value) {
      peers[key]?.say(
        ControlAnswer.answer(id, .refused, step: state.step, sentence))
      peers[key]?.pending -= 1
    }
    asked = [:]
  }

  // MARK: Peers

  private mutating func serve() {
    for key in peers.keys.sorted() {
      while let line = peers[key]?.line() { take(line, from: key) }
      peers[key]?.write(&ring)
      if state.ending != nil, isClosed, let peer = peers[key], peer.hasAll(ring) { drop(key) }
      if peers[key]?.isOver == true { drop(key) }
    }
  }

  private mutating func take(_ line: [UInt8], from key: CInt) {
    do {
      switch try ControlMessage(line, from: peers[key]?.process ?? 0) {
      case .subscribe(let id, let first, let hasProgress):
        peers[key]?.say(ControlAnswer.answer(id, .done, step: state.step, "subscribed"))
        if isSettingUp { peers[key]?.say(ControlAnswer.preparing(preparing)) }
        peers[key]?.subscribe(from: first, hasProgress: hasProgress, ring, newest: state.number)
      case .command(let id, let command, let actor, let isSure):
        guard state.ending == nil else {
          peers[key]?.say(ControlAnswer.answer(id, .refused, step: state.step, "the run has ended"))
          return
        }
        // Nothing is there to save or to wait for yet.
        if isSettingUp, case .stop = command, cancel() {
          peers[key]?.say(ControlAnswer.answer(id, .done, step: 0, "\(command.word): stopped before the first step"))
          return
        }
        asked[requests.send(command, by: actor, isSure: isSure)] = (key, id)
        peers[key]?.pending += 1
      }
    } catch {
      if error.isFatal {
        peers[key]?.refuse(error.text)
      } else {
        peers[key]?.say(ControlAnswer.answer(error.id, .refused, step: state.step, error.text))
        peers[key]?.countFault()
      }
    }
  }
}
