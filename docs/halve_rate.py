"""Halves the learning rate of a live run whenever its held-out loss has not fallen for three evaluations: halve_rate.py runs/NAME"""
import json
import socket
import sys

run = socket.socket(socket.AF_UNIX)
run.connect(sys.argv[1] + "/control.sock")
run.sendall(b'{"subscribe": true}\n')
best, since = float("inf"), 0
for event in map(json.loads, run.makefile()):
    if event.get("event") == "heldout":
        loss = next(iter(event["loss"].values()))
        best, since = (loss, 0) if loss < best else (best, since + 1)
        if since == 3:
            since = 0
            run.sendall(b'{"id": %d, "command": "rate x0.5"}\n' % event["step"])
    elif event.get("answer"):
        print(event["text"], flush=True)
    elif event.get("event") == "end":
        break
