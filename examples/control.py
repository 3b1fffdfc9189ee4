#!/usr/bin/env python3
"""Sends a message through a running `meshctl up`: control.py STATE_DIRECTORY PEER TEXT"""
import json
import socket
import sys

state, peer, text = sys.argv[1:]
control = socket.socket(socket.AF_UNIX)
control.connect(f"{state}/control")
lines = control.makefile("rw", encoding="utf-8", newline="\n")
request = {"id": 1, "do": "send", "to": peer, "body": {"text": text}}
lines.write(json.dumps(request | {"wait": {"for": "delivered", "seconds": 30}}) + "\n")
lines.flush()
for answer in map(json.loads, lines):
    if answer["is"] == "error":
        sys.exit(f"{answer['code']}: {answer['cause']}; {answer['advice']}")
    if answer["is"] == "done":
        break
    print(answer["level"], answer["message"], answer["why"])
