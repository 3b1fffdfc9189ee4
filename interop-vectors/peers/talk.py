"""Lets a Python agent and `meshctl` talk, both ways and in both roles, over loopback:

    pip install cryptography==50.0.2 dilithium-py==1.5.1 kyber-py==1.2.0
    python interop-vectors/peers/talk.py target/debug/meshctl
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time

from live import (
    DELIVERED,
    MESSAGE,
    PATIENCE,
    PROCESSED,
    RECEIPTS,
    Agent,
    TcpLine,
    answer,
    connect,
    fetch_card,
    hello,
    open_session,
)
from noise import AES_GCM, CHACHA_POLY

LONG = bytes(range(256)) * 400


class Meshctl:
    """An agent that is up."""

    def __init__(self, program, folder):
        self.base = [program, "--state", os.path.join(folder, "agent")]
        self.environment = os.environ | {"XDG_DATA_HOME": os.path.join(folder, "data")}
        self.run("init", "--name", "rust")
        self.process = subprocess.Popen(
            [*self.base, "up", "--json", "--listen", "127.0.0.1:0"],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        contact = json.loads(self.process.stdout.readline())["contacts"][0]
        self.port = int(contact.rsplit(":", 1)[1])
        self.id = bech32m_decode(contact.split("@")[0])

    def run(self, *arguments, stdin=None):
        done = subprocess.run(
            [*self.base, *arguments],
            env=self.environment,
            input=stdin,
            capture_output=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done
        return done.stdout.decode()

    def start(self, *arguments, stdin=None):
        process = subprocess.Popen(
            [*self.base, *arguments],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        process.stdin.write(stdin or b"")
        process.stdin.close()
        return process

    def inbox(self):
        return [json.loads(line) for line in self.run("inbox", "--json").splitlines()]


def bech32m_decode(text):
    """The bytes; whose checksum meshctl wrote, and a card that hashes to them proves."""
    from identity import CHARSET

    bits = "".join(f"{CHARSET.index(character):05b}" for character in text.split("1", 1)[1][:-6])
    return bytes(int(bits[at : at + 8], 2) for at in range(0, 256, 8))


def finish(process, words):
    out = process.stdout.read().decode()
    assert process.wait(PATIENCE) == 0 and words in out, out


def dialled_by(rust, agent, listener, name):
    """meshctl dials: a card fetch, then a session that carries messages to us."""
    port = listener.getsockname()[1]
    adding = rust.start("peers", "add", agent.contact(port), "--name", name)
    serve(agent, listener)
    finish(adding, "")
    card = fetch_card(connect(rust.port), agent.suite, rust.id)
    for body in (b"to Python", LONG):
        sending = rust.start("send", name, "--file", "-", "--wait", "delivered", stdin=body)
        if body == b"to Python":
            session = serve(agent, listener, {card.hash: card})
        variant, (id, _, arrived) = session.read()
        assert (variant, arrived) == (MESSAGE, body)
        session.send_receipts([id], DELIVERED)
        finish(sending, "delivered")
    close(session)


def serve(agent, listener, known={}):
    """Takes connections until one is what was wanted: a suite that we do not have is tried first."""
    while True:
        line = TcpLine(listener.accept()[0])
        try:
            return answer(agent, line, known)
        except EOFError:
            line.stream.close()


def dials(rust, agent, suite):
    """We dial, and speak under two keys."""
    card = fetch_card(connect(rust.port), suite, rust.id)
    session = open_session(agent, connect(rust.port), suite, card)
    ids = [session.send_message(b"from Python"), session.send_message(LONG, "x/long")]
    delivered = read_receipts(session, DELIVERED, ids)
    inbox = rust.inbox()
    assert [entry["message"] for entry in inbox] == [id.hex() for id in ids], inbox
    assert inbox[0]["body"]["text"] == "from Python" and inbox[1]["content_type"] == "x/long"
    read_receipts(session, PROCESSED, ids)
    session.send_settled(ids)
    close(session)
    # The next Hello names our card by its hash: both have shown that they hold the other's.
    session = open_session(agent, connect(rust.port), suite, session.peer, by_hash=True)
    read_receipts(session, DELIVERED, [session.send_message(b"again")])
    assert [entry["body"]["text"] for entry in rust.inbox()] == ["again"]
    close(session)


def close(session):
    """In good order. What was under way still comes, and who is told of the end may just hang up."""
    session.line.write_end()
    try:
        while session.read() != (None, None):
            pass
    except EOFError:
        pass


def read_receipts(session, wanted, ids):
    missing = set(ids)
    while missing:
        variant, receipts = session.read()
        assert variant == RECEIPTS, variant
        missing -= {id for id, verdict in receipts if verdict == wanted}


def half_a_signature_gets_silence(rust, agent, suite):
    stranger = Agent(suite)
    card = fetch_card(connect(rust.port), suite, rust.id)
    for half in ("ed25519", "ml_dsa"):
        line = connect(rust.port)
        line.initiate(suite, agent.live, card.live_keys)
        right = agent.pair
        forged = type(right).__new__(type(right))
        forged.__dict__.update(right.__dict__)
        setattr(forged, half, getattr(stranger.pair, half))
        line.write_frame(hello(agent, line, card.agent, card, pair=forged))
        assert line.stream.recv(1) == b""


def main(program):
    with tempfile.TemporaryDirectory(prefix="mw") as folder:
        rust = Meshctl(program, folder)
        try:
            for suite in (CHACHA_POLY, AES_GCM):
                listener = socket.create_server(("127.0.0.1", 0))
                listener.settimeout(PATIENCE)
                agent = Agent(suite)
                agent.make_card([f"tcp:127.0.0.1:{listener.getsockname()[1]}"])
                dialled_by(rust, agent, listener, f"python{suite}")
                dials(rust, agent, suite)
                half_a_signature_gets_silence(rust, agent, suite)
                print(f"suite {suite} over TCP: both ways, both roles")
        finally:
            rust.process.kill()
            rust.process.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
