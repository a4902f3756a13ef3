"""Steering from elsewhere: `foretop tell`, `foretop watch`, the control socket, and the command line on the screen."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys

from support import *


def control(name):
    return os.path.join(RUNS, name, "control.sock")


def has_begun(name):
    """Whether a run can be steered, and is not being set up any more."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(PATIENCE)
        peer.connect(control(name))
        with peer.makefile("r", encoding="utf-8") as lines:
            return "preparing" not in json.loads(lines.readline() or '{"preparing": ""}')
    return False


@contextlib.contextmanager
def training(name, *options, data=TEXT, ready=has_begun, env=None):
    """A run without a screen that listens, or is otherwise ready."""
    process = subprocess.Popen(
        train(name, "--headless", *(options or ENDLESS), data=data), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=env)
    try:
        wait_until(lambda: ready(name), f"{name} listens")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def tell(name, *words, status=0, options=()):
    return run(command("tell", name, *words, *options), status)


def connect(name):
    """A socket that has said hello, and its lines."""
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(PATIENCE)
    peer.connect(control(name))
    lines = peer.makefile("r", encoding="utf-8")
    assert json.loads(lines.readline())["protocol"] == 1
    return peer, lines


def send(peer, **message):
    peer.sendall((json.dumps(message) + "\n").encode())


def test_a_run_is_steered_from_another_process():
    with training("told") as process:
        assert "paused" in tell("told", "pause").stdout
        # What changes nothing is answered and recorded too.
        assert "pause: done" in tell("told", "pause").stdout
        assert " → " in tell("told", "rate", "x0.5").stdout
        answer = json.loads(tell("told", "clip", "0.25", options=["--json"]).stdout)
        assert answer["status"] == "done" and answer["answer"] == 1, answer
        tell("told", "weight", "top", "x0.5")
        tell("told", "note", "why so")
        assert "5 steps taken" in tell("told", "step", "5").stdout
        tell("told", "undo")
        tell("told", "evaluate")
        tell("told", "save")
        refused = tell("told", "until", "1", status=1)
        assert "not ahead" in refused.stderr, refused
        refused = tell("told", "detach", status=1)
        assert "no screen to leave" in refused.stderr, refused
        # As on the screen, a large change needs a yes.
        for words in (("rate", "x0.01"), ("weight", "top", "x0.01")):
            assert "--yes" in tell("told", *words, status=1).stderr
            assert " → " in tell("told", *words, options=["--yes"]).stdout
            tell("told", "undo")
        wrong = tell("told", "rat", "x0.5", status=64)
        assert "did you mean “rate”" in wrong.stderr, wrong
        stop("told", process)
    for kind, key, new in (("rate", "rate", None), ("setting", "optimizer.clip", 0.25), ("weight", "top", 0.5), ("notice", "note", None)):
        found = [event for event in occurrences("told", kind) if event.get("key") == key]
        assert found and found[0]["actor"] == "tell" and new in (None, found[0].get("new")), (kind, found)
    assert [event["actor"] for event in occurrences("told", "saved")][:1] == ["tell"]
    asked = {event["key"]: event["actor"] for event in occurrences("told", "done")}
    assert asked == {"pause": "tell", "evaluate": "tell", "stop": "tell"}, asked
    told = run(command("inspect", "told", "events")).stdout
    assert re.search(r"evaluate: done.*  \(tell\)", told) and re.search(r"stop: done.*  \(tell\)", told), told
    assert not os.path.exists(control("told"))
    gone = tell("told", "pause", status=69)
    assert "no process trains run “told”" in gone.stderr, gone
    assert "there is no run" in run(command("tell", "nowhere", "pause"), 66).stderr


def stop(name, process):
    tell(name, "stop")
    assert process.wait(PATIENCE) == 0


def test_settings_survive_a_kill_and_a_resume():
    with training("kept", "--set", "schedule.kind=constant", "--steps", "1000000", "--set", "evaluate.every=0", "--set", "save.every=0", "--set", "sample.every=0") as process:
        tell("kept", "pause")
        tell("kept", "clip", "0.5")
        tell("kept", "save")
        wait_until(lambda: checkpoints("kept"), "the checkpoint is stored")
        tell("kept", "step", "3")
        tell("kept", "clip", "0.01")
        tell("kept", "rate", "x0.5")
        tell("kept", "step", "6")
        process.send_signal(signal.SIGKILL)
        process.wait()
    # What is left of the socket is nobody's.
    assert os.path.exists(control("kept"))
    assert "left by a process that was killed" in tell("kept", "go", status=69).stderr
    last = max(event["step"] for event in events("kept", "step"))
    run(command("resume", "kept", "--headless", "--steps", str(last + 5), "--threads", "1"))
    assert not [event for event in events("kept", "occurrence") if event.get("key") == "replay"]
    assert not os.path.exists(control("kept"))
    changes = [(event["key"], event["new"]) for event in occurrences("kept", "setting")]
    assert changes == [("optimizer.clip", 0.5), ("optimizer.clip", 0.01), ("steps", last + 5)], changes
    run(command("resume", "kept", "--headless", "--steps", str(last + 8), "--threads", "1"))
    began = events("kept", "begin")[-1]
    assert began["recipe"]["optimizer"]["clip"] == 0.01 and began["recipe"]["steps"] == last + 8, began


OBJECTIVES = [
    word for change in ("schedule.kind=constant", "evaluate.every=0", "save.every=0", "sample.every=0", "objective.top=0",
                        "objective.next.beta=0.5", "objective.jtp.weight=0.2", "objective.jtp.tokens=2", "data.drawn.every=4")
    for word in ("--set", change)]


def saved(name):
    """The step of a checkpoint that is asked for."""
    tell(name, "save")
    wait_until(lambda: checkpoints(name), "the checkpoint is stored")
    return checkpoints(name)[-1]


def test_weights_of_objectives_are_steered_recorded_and_taken_up_again_to_the_bit():
    with training("objectives", "--steps", "1000000", *OBJECTIVES) as process:
        tell("objectives", "pause")
        tell("objectives", "ntp", "beta", "0")
        assert "weight of jtp-3 0.1 → 0.2; also jtp-2 0.1 → 0.2" in tell("objectives", "weight", "jtp", "0.4").stdout
        tell("objectives", "step", "3")
        assert "data.drawn.share 0.0 → 0.3" in tell("objectives", "drawn", "share", "0.3").stdout
        tell("objectives", "step", "3")
        tell("objectives", "drawn", "share", "0")
        start = saved("objectives")
        tell("objectives", "step", "2")
        # What was turned off, in a run that began with it and in one that did not, is turned on again.
        tell("objectives", "ntp", "beta", "0.25")
        tell("objectives", "drawn", "share", "0.2")
        tell("objectives", "weight", "jtp", "x0.5")
        tell("objectives", "step", "5")
        refused = tell("objectives", "drawn", "share", "2", status=64)
        assert "data.drawn.share must be" in refused.stderr, refused
        refused = tell("objectives", "ntp", "further", "0.5", status=1)
        assert "objective.next.ahead is 1" in refused.stderr, refused
        process.send_signal(signal.SIGKILL)
        process.wait()
    last = max(event["step"] for event in events("objectives", "step"))
    run(command("resume", "objectives", "--headless", "--steps", str(last + 5), "--threads", "1"))
    # The steps after the checkpoint came out as they were.
    assert not [event for event in events("objectives", "occurrence") if event.get("key") == "replay"]
    changes = [(event["key"], event["new"]) for event in occurrences("objectives", "setting")]
    assert changes == [
        ("objective.next.beta", 0), ("data.drawn.share", 0.3), ("data.drawn.share", 0), ("objective.next.beta", 0.25),
        ("data.drawn.share", 0.2), ("steps", last + 5)], changes
    weights = [(event["key"], event["new"]) for event in occurrences("objectives", "weight")]
    assert weights == [("jtp-2", 0.2), ("jtp-3", 0.2), ("jtp-2", 0.1), ("jtp-3", 0.1)], weights
    run(command("resume", "objectives", "--headless", "--steps", str(last + 8), "--threads", "1"))
    run(command("verify", "objectives"))
    assert "the same" in run(command("replay", "objectives")).stdout
    assert "the same" in run(command("replay", "objectives", "--from", str(start))).stdout


def test_a_replay_begins_with_what_commands_had_changed_before_its_checkpoint():
    with training("midway", "--steps", "1000000", *OBJECTIVES) as process:
        tell("midway", "pause")
        tell("midway", "ntp", "beta", "0")
        tell("midway", "clip", "0.01")
        tell("midway", "drawn", "share", "0.3")
        tell("midway", "step", "3")
        start = saved("midway")
        tell("midway", "step", "4")
        stop("midway", process)
    assert "the same" in run(command("replay", "midway", "--from", str(start))).stdout


def test_a_schedule_a_prompt_and_a_name_survive_a_kill_and_a_resume():
    with training("bent", "--steps", "1000000", "--set", "evaluate.every=0", "--set", "save.every=0", "--set", "sample.every=0",
                  "--set", "save.keep=1", "--set", "schedule.kind=constant") as process:
        tell("bent", "pause")
        # Some steps are taken before it pauses.
        first = json.loads(tell("bent", "step", "2", options=["--json"]).stdout)["step"]
        # Held where the schedule warms up, and a name that every command takes for a step.
        tell("bent", "rate", "hold", "1e-3")
        tell("bent", "step", "2")
        tell("bent", "save", "as", "before-decay")
        tell("bent", "save", "as", "here-too")
        tell("bent", "step", "2")
        tell("bent", "rate", "anneal", "10", "--yes")
        tell("bent", "prompt", "And the")
        tell("bent", "step", "3")
        tell("bent", "rate", "warmup", "5", "--yes")
        tell("bent", "undo")
        tell("bent", "step", "2")
        assert "ntp" in tell("bent", "ask", "and the").stdout
        process.send_signal(signal.SIGKILL)
        process.wait()
    rates = {event["step"]: event["rate"] for event in events("bent", "step")}
    assert max(rates) == first + 9, (first, rates)
    assert [rates[first + step] for step in (1, 2, 3, 4)] == [1e-3] * 4, (first, rates)
    lower = [rates[first + step] for step in (5, 6, 7, 8, 9)]
    # Straight down: what was warmed up again was undone.
    assert 1e-3 > lower[0] and all(abs(a - b - (1e-3 - lower[0])) < 1e-9 for a, b in zip(lower, lower[1:])), (first, rates)
    # Two more saves by the schedule take away what nobody asked for, and leave what was saved by hand.
    for _ in range(2):
        last = max(event["step"] for event in events("bent", "step"))
        run(command("resume", "bent", "--headless", "--steps", str(last + 3), "--threads", "1"))
    assert not [event for event in events("bent", "occurrence") if event.get("key") == "replay"]
    assert checkpoints("bent")[0] == first + 2 and len(checkpoints("bent")) == 2, checkpoints("bent")
    began = events("bent", "begin")[-1]["recipe"]
    assert (began["schedule"]["then"], began["schedule"]["from"], began["schedule"]["over"]) == ("anneal", first + 4, 10), (first, began)
    assert began["sample"]["prompt"] == "And the", began
    asked = json.loads(run(command("ask", "bent", "and the", "--step", "before-decay", "--json")).stdout)
    assert asked["step"] == first + 2 and 0 < asked["ntp"][0]["probability"] <= 1 and asked["top"], asked
    assert asked["ntp"] == sorted(asked["ntp"], key=lambda choice: -choice["probability"])
    assert "did you mean “before-decay”" in run(command("ask", "bent", "x", "--step", "before-deca"), 66).stderr
    kept = objects(command("inspect", "bent", "checkpoints"))
    # A second name leaves the first one.
    assert json.loads(run(command("ask", "bent", "and the", "--step", "here-too", "--json")).stdout)["step"] == first + 2
    assert kept[0]["name"] == "before-decay, here-too" and "isKept" not in kept[1], kept
    run(command("prune", "bent", "--yes"))
    assert checkpoints("bent")[0] == first + 2
    run(command("prune", "bent", "--yes", "--saved"))
    assert len(checkpoints("bent")) == 1
    assert len(os.listdir(os.path.join(RUNS, "bent", "checkpoints"))) == 1
    run(command("rm", "bent", "--yes"))


def test_the_examples_of_the_commands_are_told_as_they_stand_there():
    # Arguments that begin with a dash too, and options after them.
    with training("dashed", "--set", "objective.next.tail=-0.2") as process:
        answer = run([PROGRAM, "tell", "dashed", "ntp", "tail", "-0.1", "--runs", RUNS, "--json"])
        assert json.loads(answer.stdout)["status"] == "done", answer
        wrong = run([PROGRAM, "tell", "dashed", "pause", "--jsno", "--runs", RUNS], status=64)
        assert "--jsno" in wrong.stderr, wrong.stderr
        peer, lines = connect("dashed")
        # A screen has asked its user, and then says so itself.
        send(peer, id=1, command="rate x0.01", **{"as": "attached"})
        refused = next(answer for answer in map(json.loads, lines) if answer.get("answer") == 1)
        assert refused["status"] == "refused" and "needs a yes" in refused["text"], refused
        peer.close()
        stop("dashed", process)


def test_a_held_rate_stays_where_the_number_of_steps_changes():
    with training("held", "--steps", "1000000", "--set", "evaluate.every=0", "--set", "save.every=0", "--set", "sample.every=0",
                  "--set", "schedule.kind=cosine") as process:
        tell("held", "pause")
        first = json.loads(tell("held", "rate", "hold", "1e-3", options=["--json"]).stdout)["step"]
        tell("held", "step", "2")
        tell("held", "steps", str(first + 400))
        tell("held", "step", "2")
        stop("held", process)
    run(command("resume", "held", "--headless", "--steps", str(first + 8)))
    rates = [event["rate"] for event in events("held", "step") if event["step"] > first]
    assert len(rates) == 8 and all(abs(rate - 1e-3) < 1e-12 for rate in rates), rates
    assert "to the bit" in run(command("replay", "held")).stdout


def test_watch_prints_events_until_the_end():
    with training("watched") as process:
        watch = subprocess.Popen(command("watch", "watched", "--json"), stdout=subprocess.PIPE, text=True)
        lines = subprocess.Popen(command("watch", "watched", "--from-now"), stdout=subprocess.PIPE, text=True)
        assert json.loads(watch.stdout.readline())["event"] in ("begin", "gap")
        tell("watched", "rate", "x0.9")
        # What follows this answer is not before the subscription of the second.
        wait_until(lambda: "step" in lines.stdout.readline(), "the lines have begun")
        tell("watched", "note", "seen")
        stop("watched", process)
        # Not communicate, which drops what a read of a line took in beside it.
        seen = [json.loads(line) for line in watch.stdout]
        assert watch.wait(PATIENCE) == 0 and seen[-1]["event"] == "end", seen[-1]
        assert any(event.get("kind") == "rate" and event["actor"] == "tell" for event in seen)
        text = lines.stdout.read()
        assert "seen  (tell)" in text and lines.wait(PATIENCE) == 0, text
    assert run(command("watch", "watched"), 69).stderr


def test_a_long_path_has_a_socket_too():
    runs = os.path.join(FOLDER, "long" * 30, "deep" * 10)
    process = subprocess.Popen(
        [PROGRAM, "train", "tiny", "--name", "far", "--runs", runs, "--data", TEXT, "--threads", "1", "--headless", *ENDLESS],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: os.path.exists(f"{runs}/far/control.sock"), "the socket is there")
        assert oct(os.stat(f"{runs}/far/control.sock").st_mode)[-3:] == "600"
        run([PROGRAM, "tell", "far", "rate", "x0.5", "--runs", runs])
        run([PROGRAM, "tell", "far", "stop", "--runs", runs])
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()


def test_hostile_peers_change_nothing():
    with training("hostile") as process:
        silent = []
        # Rubbish, a line without an end, an object of another kind, a line that is too long.
        for rubbish in (b"\x00\xff\xfe\n", b"GET / HTTP/1.1\r\n\r\n", b"[1]\n", b"x" * 70_000, b"{" * 60_000 + b"\n"):
            peer, lines = connect("hostile")
            with contextlib.suppress(OSError):
                peer.sendall(rubbish)
            with contextlib.suppress(ConnectionResetError):
                assert "error" in json.loads(lines.readline()), rubbish[:10]
                assert lines.readline() == ""
            peer.close()
        for wrong in ({}, {"id": {}, "command": "pause"}, {"id": 1, "command": 5}, {"id": 1, "command": "explode"},
                      {"id": 1, "subscribe": True, "from": 0}, {"id": 1, "command": "pause", "as": "key"}, {"id": 1, "secret": 1}):
            peer, lines = connect("hostile")
            send(peer, **wrong)
            assert json.loads(lines.readline())["status"] == "refused", wrong
            peer.close()
        # A peer that never reads, one that asks what there is not again and again, one that leaves in the middle of a line, and
        # more than are served.
        mute, _ = connect("hostile")
        send(mute, subscribe=True, **{"from": 1})
        silent.append(mute)
        greedy, _ = connect("hostile")
        greedy.setblocking(False)
        with contextlib.suppress(OSError):
            for _ in range(10_000):
                greedy.sendall(b'{"command":"explode"}\n' * 100)
        half, _ = connect("hostile")
        half.sendall(b'{"command":"stop"')
        half.close()
        for _ in range(1000):
            # With a time limit it would be refused while others wait to be taken.
            peer = socket.socket(socket.AF_UNIX)
            peer.connect(control("hostile"))
            silent.append(peer)
        full = silent[-1].makefile("r").readline()
        assert "connections" in full, full
        before = computed(process)
        for peer in silent[1:]:
            peer.close()
        wait_until(lambda: subprocess.run(
            command("tell", "hostile", "note", "alive"), capture_output=True).returncode == 0, "there is room again")
        assert computed(process) >= before and process.poll() is None
        stop("hostile", process)
        greedy.close()
    happened = [event for event in events("hostile", "occurrence") if event["actor"] in ("socket", "tell")]
    assert {event.get("key") for event in happened} <= {"note", "stop"}, happened


def test_the_command_line_steers_and_answers():
    with begin("typed", *ENDLESS, "--set", "schedule.warmup=0") as terminal:
        terminal.type(":")
        terminal.wait_for("tab completes")
        terminal.type("rat\t3e-4")
        terminal.wait_for(":rate 3e-4")
        terminal.type("\r")
        terminal.wait_for("→ 3.0e-4")
        terminal.type(":rate fast\r")
        terminal.wait_for("is not a rate")
        terminal.type("\x1b")
        terminal.wait_for(lambda terminal: "is not a rate" not in terminal.text)
        terminal.type("u")
        terminal.wait_for("undone")
        terminal.type(" ")
        terminal.wait_for("paused")
        terminal.type("5.")
        terminal.wait_for("5 steps taken, paused")
        terminal.type(":stop\r")
        assert terminal.finish() == 0
    changes = occurrences("typed", "rate")
    assert [change["actor"] for change in changes] == ["typed", "key"], changes
    # The schedule goes on between the two.
    assert abs(changes[1]["new"] / changes[1]["old"] * changes[0]["new"] / changes[0]["old"] - 1) < 1e-6, changes
    asked = {event["key"]: event["actor"] for event in occurrences("typed", "done")}
    assert asked["stop"] == "typed", asked


def test_the_script_of_the_docs_halves_the_rate():
    script = os.path.join(ROOT, "docs/halve_rate.py")
    # A rate of almost nothing: the held-out loss falls by less than it varies, and an evaluation a step shows that soon.
    with training("halved", "--steps", "1000000", "--set", "evaluate.every=1", "--set", "schedule.rate=0.9",
                  "--set", "save.every=0", "--set", "sample.every=0") as process:
        helper = subprocess.Popen([sys.executable, script, os.path.join(RUNS, "halved")], stdout=subprocess.PIPE, text=True)
        assert helper.stdout.readline().startswith("rate ")
        stop("halved", process)
        helper.communicate(timeout=PATIENCE)
        assert helper.returncode == 0
    changes = occurrences("halved", "rate")
    assert changes and changes[0]["actor"] == "socket" and changes[0]["new"] < 0.6 * changes[0]["old"], changes
