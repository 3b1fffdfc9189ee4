"""Lets a Python agent and `meshctl` talk, both ways and in both roles, over loopback:

    pip install cryptography==50.0.2 dilithium-py==1.5.1 kyber-py==1.2.0
    python interop-vectors/peers/talk.py target/release/meshctl [tcp] [udp]

All transports, if none is named.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile

import udp
from identity import CHARSET
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


class Meshctl:
    """An agent that is up."""

    def __init__(self, program, folder):
        self.base = [program, "--state", os.path.join(folder, "agent")]
        self.environment = os.environ | {"XDG_DATA_HOME": os.path.join(folder, "data")}
        self.run("init", "--name", "rust")
        self.process = subprocess.Popen(
            [*self.base, "up", "--json", "--listen", "127.0.0.1:0", "--transports", "quic,udp,tcp"],
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
            check=False,
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
    bits = "".join(f"{CHARSET.index(character):05b}" for character in text.split("1", 1)[1][:-6])
    return bytes(int(bits[at : at + 8], 2) for at in range(0, 256, 8))


class Tcp:
    """Where we listen, and how we dial, over TCP."""

    name, long = "tcp", bytes(range(256)) * 400

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        self.port = self.listener.getsockname()[1]

    def accept(self):
        return TcpLine(self.listener.accept()[0])

    def accept_session(self):
        return self.accept()

    dial = staticmethod(connect)


class Udp(Tcp):
    """The same over UDP. Cards are still fetched over TCP, on the same port."""

    name, long = "udp", bytes(range(250)) * 200

    def __init__(self):
        super().__init__()
        self.socket = udp.listen(self.port)

    def accept_session(self):
        return udp.UdpLine(self.socket)

    dial = staticmethod(udp.connect)


def finish(process, words):
    out = process.stdout.read().decode()
    assert process.wait(PATIENCE) == 0 and words in out, out


def serve(agent, accept, known):
    """Takes connections until one is what was wanted: a suite that we do not have is tried first."""
    while True:
        line = accept()
        try:
            return answer(agent, line, known)
        except EOFError:
            line.stream.close()


def dialled_by(rust, agent, path, name):
    """meshctl dials: a card fetch, then a session that carries messages to us."""
    adding = rust.start("peers", "add", agent.contact(path.port), "--name", name)
    serve(agent, path.accept, {})
    finish(adding, "")
    card = fetch_card(connect(rust.port), agent.suite, rust.id)
    session = None
    for body in (b"to Python", path.long):
        sending = rust.start("send", name, "--file", "-", "--wait", "delivered", stdin=body)
        session = session or serve(agent, path.accept_session, {card.hash: card})
        variant, (id, _, arrived) = session.read()
        assert (variant, arrived) == (MESSAGE, body)
        session.send_receipts([id], DELIVERED)
        finish(sending, "delivered")
    close(session)


def dials(rust, agent, suite, path):
    """We dial, and name our card by its hash the second time: both hold the other's by then."""
    card = fetch_card(connect(rust.port), suite, rust.id)
    session = open_session(agent, path.dial(rust.port), suite, card)
    ids = [session.send_message(b"from Python"), session.send_message(path.long, "x/long")]
    read_receipts(session, DELIVERED, ids)
    inbox = rust.inbox()
    assert [entry["message"] for entry in inbox] == [id.hex() for id in ids], inbox
    assert inbox[0]["body"]["text"] == "from Python" and inbox[1]["content_type"] == "x/long"
    read_receipts(session, PROCESSED, ids)
    session.send_settled(ids)
    close(session)
    session = open_session(agent, path.dial(rust.port), suite, session.peer, by_hash=True)
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


def half_a_signature_gets_silence(rust, agent, suite, path):
    stranger = Agent(suite)
    card = fetch_card(connect(rust.port), suite, rust.id)
    for half in ("ed25519", "ml_dsa"):
        line = path.dial(rust.port)
        line.initiate(suite, agent.live, card.live_keys)
        right = agent.pair
        forged = type(right).__new__(type(right))
        forged.__dict__.update(right.__dict__)
        setattr(forged, half, getattr(stranger.pair, half))
        line.write_frame(hello(agent, line, card.agent, card, pair=forged))
        assert line.is_hung_up()


def main(program, *wanted):
    with tempfile.TemporaryDirectory(prefix="mw") as folder:
        rust = Meshctl(program, folder)
        try:
            for kind in (Tcp, Udp):
                if wanted and kind.name not in wanted:
                    continue
                for suite in (CHACHA_POLY, AES_GCM):
                    path, agent = kind(), Agent(suite)
                    agent.make_card([f"{kind.name}:127.0.0.1:{path.port}"])
                    dialled_by(rust, agent, path, f"python-{kind.name}-{suite}")
                    dials(rust, agent, suite, path)
                    half_a_signature_gets_silence(rust, agent, suite, path)
                    print(f"{kind.name}, suite {suite}: both ways, both roles")
        finally:
            rust.process.kill()
            rust.process.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
