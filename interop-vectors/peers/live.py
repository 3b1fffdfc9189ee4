"""A live peer: an agent with a card, a line over TCP, and what is said over any line. Written from
docs/wire-format.md; shares no code with the implementation that it talks to.
"""

import hashlib
import os
import socket
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from dilithium_py.ml_dsa import ML_DSA_65

import identity
from identity import bech32m, blob, option, sequence, varint
from noise import CipherState, Handshake, public

VERSION, TCP = 1, 1
INITIATOR, RESPONDER = 1, 2
CHUNK = 16_383
SIGNATURE = 64 + 3_309
PUBLIC_KEYS = 32 + 1_952
PART, LAST, REKEY, END = range(4)
HELLO, CARD_REQUEST, CARD, CLOSE, PAYLOAD = 0x01, 0x02, 0x03, 0x04, 0x10
MESSAGE, RECEIPTS, SETTLED = range(3)
DELIVERED, PROCESSED = range(2)
PATIENCE = 60


class Reader:
    """Postcard, and what stands beside it, off the front of some bytes."""

    def __init__(self, data):
        self.data = data

    def take(self, length):
        assert len(self.data) >= length, "cut short"
        out, self.data = self.data[:length], self.data[length:]
        return out

    def varint(self):
        number, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return number

    def blob(self):
        return self.take(self.varint())

    def option(self, read):
        return read() if self.varint() else None

    def list(self, read):
        return [read() for _ in range(self.varint())]


def verify(keys, purpose, message, signature):
    """Both halves, or an error."""
    binding = hashlib.sha256(keys).digest()
    data = b"meshwork/v1/" + purpose.encode() + b"\x00" + binding + message
    Ed25519PublicKey.from_public_bytes(keys[:32]).verify(signature[:64], data)
    if not ML_DSA_65.verify(keys[32:], data, signature[64:]):
        raise InvalidSignature("ML-DSA-65")


class Card:
    """A card of somebody else, verified."""

    def __init__(self, data):
        self.data, self.hash = data, hashlib.sha256(data).digest()
        head, signature = data[:-SIGNATURE], data[-SIGNATURE:]
        reader = Reader(head)
        assert reader.take(1) == b"\x01"
        self.agent, root = reader.take(32), reader.take(PUBLIC_KEYS)
        assert self.agent == hashlib.sha256(b"meshwork/v1/agent-id\x00" + root).digest()
        verify(root, "card", head, signature)
        self.number = reader.varint()
        not_before, not_after = reader.varint(), reader.varint()
        assert not_before - 600_000 <= time.time() * 1000 <= not_after + 600_000
        self.signing_pair = reader.take(PUBLIC_KEYS)
        self.live_keys = [reader.take(32), reader.option(lambda: reader.take(32))]


class Agent:
    """A Python agent: its keys, its card, and where its state would stand."""

    def __init__(self, suite):
        self.suite = suite
        self.root = identity.Hybrid(os.urandom(32), os.urandom(32))
        self.pair = identity.Hybrid(os.urandom(32), os.urandom(32))
        self.live = X25519PrivateKey.generate()
        self.incarnation, self.commits = os.urandom(16), 0
        self.id = self.root.agent()

    def make_card(self, addresses):
        self.number = int(time.time())
        now = self.number * 1000
        self.card = identity.statement(
            self.root,
            "card",
            identity.body(
                {
                    "sequence": self.number,
                    "not_before": now - 60_000,
                    "not_after": now + identity.DAY,
                    "signing": self.pair,
                    "live": public(self.live),
                    "addresses": addresses,
                    "suites": [self.suite],
                    "protocols": ["live"],
                    "transports": sorted({a.split(":")[0] for a in addresses}),
                }
            ),
        )

    def contact(self, port):
        return f"{bech32m('mw', self.id)}@127.0.0.1:{port}"


class TcpLine:
    """A handshake and the records behind it, over a connected socket."""

    transport = TCP

    def __init__(self, stream):
        stream.settimeout(PATIENCE)
        self.stream, self.frame = stream, b""

    def read_exactly(self, length):
        data = b""
        while len(data) < length:
            piece = self.stream.recv(length - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def read_message(self):
        return self.read_exactly(int.from_bytes(self.read_exactly(2), "big"))

    def write_message(self, message):
        self.stream.sendall(len(message).to_bytes(2, "big") + message)

    @staticmethod
    def prologue(suite):
        header = (1 + 1216).to_bytes(2, "big") + bytes([suite])
        return b"meshwork/live\x00" + bytes([VERSION, TCP, suite]) + header

    def initiate(self, suite, static, expected):
        noise = Handshake(suite, self.prologue(suite), static)
        self.write_message(bytes([suite]) + noise.write1())
        assert noise.read2(self.read_message()) == b""
        assert expected is None or noise.remote_static in expected
        self.write_message(noise.write3())
        self.establish(noise, suite, INITIATOR)

    def respond(self, suites, static):
        message = self.read_message()
        suite = message[0]
        if suite not in suites:
            # Silence.
            raise EOFError
        noise = Handshake(suite, self.prologue(suite), static)
        assert noise.read1(message[1:]) == b""
        self.write_message(noise.write2())
        assert noise.read3(self.read_message()) == b""
        self.establish(noise, suite, RESPONDER)

    def establish(self, noise, suite, role):
        keys = [CipherState(suite, key) for key in noise.state.split()]
        self.send, self.receive = keys if role == INITIATOR else reversed(keys)
        self.suite, self.role = suite, role
        self.hash, self.remote_static = noise.state.hash, noise.remote_static

    def write_record(self, kind, chunk=b""):
        self.write_message(self.send.seal(chunk + bytes([kind])))

    def write_frame(self, frame):
        while len(frame) > CHUNK:
            self.write_record(PART, frame[:CHUNK])
            frame = frame[CHUNK:]
        self.write_record(LAST, frame)

    def is_hung_up(self):
        """Whether the peer has ended the connection, and said nothing."""
        return self.stream.recv(1) == b""

    def write_rekey(self):
        self.write_record(REKEY)
        self.send.rekey()

    def write_end(self):
        self.write_record(END)

    def read_frame(self):
        """A frame, or nothing where the peer has ended the stream in good order."""
        while True:
            plaintext = self.receive.open(self.read_message())
            chunk, kind = plaintext[:-1], plaintext[-1]
            if kind == PART:
                assert len(chunk) == CHUNK
                self.frame += chunk
            elif kind == LAST:
                frame, self.frame = self.frame + chunk, b""
                return frame
            elif kind == REKEY:
                assert not chunk
                self.receive.rekey()
            else:
                assert kind == END and not chunk and not self.frame
                return None


class Session:
    """A line on which both Hellos were accepted."""

    def __init__(self, agent, line, peer):
        self.agent, self.line, self.peer = agent, line, peer

    def send(self, variant, content):
        self.line.write_frame(bytes([PAYLOAD]) + varint(variant) + content)

    def send_message(self, body, content_type="text/plain"):
        id, now = os.urandom(16), int(time.time() * 1000)
        message = id + varint(now) + varint(now + identity.DAY) + option(None)
        message += blob(content_type.encode()) + blob(body)
        self.send(MESSAGE, varint(0) + blob(message))
        return id

    def send_receipts(self, ids, verdict):
        self.send(RECEIPTS, sequence([id + varint(verdict) for id in ids]))

    def send_settled(self, ids):
        self.send(SETTLED, sequence(ids))

    def read(self):
        """A payload: its variant and what it says; or nothing at the end of the stream."""
        while (frame := self.line.read_frame()) is not None:
            if frame[0] >= 0x80:
                continue
            assert frame[0] == PAYLOAD, frame[:1].hex()
            reader = Reader(frame[1:])
            variant = reader.varint()
            if variant == MESSAGE:
                reader.varint()
                return variant, read_message(reader.blob())
            if variant == RECEIPTS:
                return variant, reader.list(lambda: (reader.take(16), reader.varint()))
            if variant == SETTLED:
                return variant, reader.list(lambda: reader.take(16))
        return None, None


def read_message(data):
    reader = Reader(data)
    id = reader.take(16)
    reader.varint(), reader.varint()
    reader.option(lambda: (reader.take(8), reader.varint()))
    return id, reader.blob().decode(), reader.blob()


def statement(line, role, sender, receiver, body):
    """What a Hello signs."""
    head = bytes([VERSION, line.transport, line.suite, role])
    return head + line.hash + sender + receiver + hashlib.sha256(body).digest()


def hello(agent, line, peer, card, by_hash=False, pair=None):
    """The agent's own; `card` is the peer's."""
    own = (
        varint(1) + hashlib.sha256(agent.card).digest() if by_hash else varint(0) + blob(agent.card)
    )
    agent.commits += 1
    lineage = agent.incarnation + bytes(16) + varint(agent.commits)
    body = peer + own + varint(card.number) + lineage + option(None)
    signed = statement(line, line.role, agent.id, peer, body)
    return bytes([HELLO]) + body + (pair or agent.pair).sign("hello", signed)


def accept_hello(agent, line, frame, known):
    """The card behind a Hello, if all of it holds."""
    assert frame[0] == HELLO
    body, signature = frame[1:-SIGNATURE], frame[-SIGNATURE:]
    reader = Reader(body)
    assert reader.take(32) == agent.id
    if reader.varint() == 0:
        card = Card(reader.blob())
    else:
        card = known[reader.take(32)]
    assert reader.varint() == agent.number
    reader.take(32), reader.varint()
    reader.option(lambda: (reader.take(32), reader.varint()))
    assert reader.data == b""
    assert line.remote_static in card.live_keys
    role = RESPONDER if line.role == INITIATOR else INITIATOR
    verify(card.signing_pair, "hello", statement(line, role, card.agent, agent.id, body), signature)
    return card


def connect(port):
    return TcpLine(socket.create_connection(("127.0.0.1", port), PATIENCE))


def fetch_card(line, suite, agent):
    """The card of `agent`, by who is nobody."""
    line.initiate(suite, X25519PrivateKey.generate(), None)
    line.write_frame(bytes([CARD_REQUEST]) + agent)
    frame = line.read_frame()
    assert frame[0] == CARD and line.read_frame() is None
    card = Card(frame[1:])
    assert card.agent == agent
    return card


def open_session(agent, line, suite, card, by_hash=False):
    """Dials the agent of `card`."""
    line.initiate(suite, agent.live, card.live_keys)
    line.write_frame(hello(agent, line, card.agent, card, by_hash))
    answered = accept_hello(agent, line, line.read_frame(), {card.hash: card})
    assert answered.agent == card.agent
    return Session(agent, line, answered)


def answer(agent, line, known):
    """Serves who dialled: a session, or nothing where only the card was wanted."""
    line.respond([agent.suite], agent.live)
    frame = line.read_frame()
    if frame[0] == CARD_REQUEST:
        assert frame[1:] == agent.id
        line.write_frame(bytes([CARD]) + agent.card)
        line.write_end()
        return None
    card = accept_hello(agent, line, frame, known)
    line.write_frame(hello(agent, line, card.agent, card))
    return Session(agent, line, card)
