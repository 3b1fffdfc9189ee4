"""A line of a live session over UDP, written from docs/wire-format.md: one session to a socket, no pace
and no roaming, but all that makes it arrive.
"""

import hashlib
import hmac
import os
import socket
import time

from cryptography.exceptions import InvalidTag

from noise import CipherState, Handshake

UDP = 2
INITIATOR, RESPONDER = 1, 2
LARGEST = 1_232
MESSAGE_2, MESSAGE_3, COOKIE, DATA = 0x08, 0x09, 0x0A, 0x0B
HELLO_PART, HELLO_PARTS, PART, RECEIVED, ASK, ANSWER, WHERE, HERE, CLOSE = range(0x05, 0x0E)
LENGTHS = {1: LARGEST, 2: LARGEST, MESSAGE_2: 1_217, MESSAGE_3: 85, COOKIE: 16}
HELLO_BYTES, FRAME_BYTES, WHOLE = 1_196, 1_192, 1_203
FRAME = 0x10
AGAIN = 0.25
PATIENCE = 60


def index():
    return os.urandom(3) + b"\x01"


def cut(data, length):
    return [data[at : at + length] for at in range(0, len(data), length)]


def mac(key, packet):
    return hmac.digest(key, packet, "sha256")[:16]


class Parts:
    """What comes in parts."""

    def __init__(self, count):
        self.parts = [None] * count

    def take(self, number, data):
        self.parts[number] = data

    def bitmap(self):
        return sum(1 << number for number, part in enumerate(self.parts) if part is not None)

    def whole(self):
        return None if None in self.parts else b"".join(self.parts)


class UdpLine:
    """One session over a socket; `to` is whom to dial."""

    transport = UDP

    def __init__(self, sock, to=None):
        self.sock, self.to = sock, to
        self.frames, self.partial, self.hello = [], {}, None
        self.unheard, self.to_confirm, self.highest, self.seen = {}, 0, -1, set()
        self.greeted = self.said_hello = self.closed = False
        # What is said again until an answer shows that it came.
        self.again, self.answers = None, {}

    @staticmethod
    def prologue(header):
        return b"meshwork/live\x00" + bytes([1, UDP, header[0]]) + header

    def packet(self, wait):
        """The next packet of a length that there is, or nothing in this time."""
        end = time.monotonic() + wait
        while (left := end - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                data, source = self.sock.recvfrom(2_048)
            except TimeoutError:
                return None
            if self.to is not None and source != self.to:
                continue
            if data and (LENGTHS.get(data[0]) == len(data) or data[0] == DATA and len(data) >= 30):
                self.source = source
                return data
        return None

    def await_packet(self, wanted):
        """Says what is to be said again until `wanted` takes a packet."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.again:
                self.sock.sendto(self.again, self.to)
            data = self.packet(AGAIN)
            if data and wanted(data):
                return data
        raise TimeoutError

    # The handshake.
    def initiate(self, suite, static, expected):
        own = index()
        header = bytes([suite]) + own
        noise = Handshake(suite, self.prologue(header), static)
        noise1 = noise.write1()
        self.again = header + bytes(11) + noise1

        def answer(data):
            if data[0] == COOKIE and data[1:5] == own:
                self.again = header + data[5:] + noise1
                self.sock.sendto(self.again, self.to)
            return data[0] == MESSAGE_2 and data[5:9] == own

        message2 = self.await_packet(answer)
        assert noise.read2(message2[9:]) == message2[1:9]
        assert noise.remote_static in expected
        key, _ = noise.state.split()
        theirs = message2[1:5]
        noise3 = noise.write3()
        message3 = bytes([MESSAGE_3]) + theirs
        self.again = message3 + mac(key, message3 + noise3) + noise3
        self.sock.sendto(self.again, self.to)
        self.establish(noise, suite, INITIATOR, own, theirs)

    def respond(self, suites, static):
        """The first message 1 that comes is answered with a cookie, whatever there is to do."""
        cookie = os.urandom(11)

        def first(data):
            if data[0] not in suites:
                return False
            if data[5:16] != cookie:
                self.sock.sendto(bytes([COOKIE]) + data[1:5] + cookie, self.source)
                return False
            return True

        message1 = self.await_packet(first)
        self.to, suite, theirs, own = self.source, message1[0], message1[1:5], index()
        noise = Handshake(suite, self.prologue(message1[:5]), static)
        assert noise.read1(message1[16:]) == b""
        message2 = bytes([MESSAGE_2]) + own + theirs + noise.write2(own + theirs)
        key, _ = noise.state.split()
        self.answers = {message1[:5] + message1[16:]: message2}
        self.sock.sendto(message2, self.to)

        def third(data):
            self.answer_repeated(data)
            return (
                data[0] == MESSAGE_3
                and data[1:5] == own
                and data[5:21] == mac(key, data[:5] + data[21:])
            )

        message3 = self.await_packet(third)
        assert noise.read3(message3[21:]) == b""
        self.message3 = message3
        self.establish(noise, suite, RESPONDER, own, theirs)
        self.write_content(bytes([HELLO_PARTS]) + bytes(4))

    def answer_repeated(self, data):
        message2 = self.answers.get(data[:5] + data[16:])
        if message2:
            self.sock.sendto(message2, self.to)

    def establish(self, noise, suite, role, own, theirs):
        keys = [CipherState(suite, key) for key in noise.state.split()]
        self.send, self.receive = keys if role == INITIATOR else reversed(keys)
        self.suite, self.role, self.own, self.theirs = suite, role, own, theirs
        self.hash, self.remote_static = noise.state.hash, noise.remote_static

    # What is inside.
    def write_content(self, content):
        counter = self.send.counter
        head = bytes([DATA]) + self.theirs + counter.to_bytes(8, "big")
        self.sock.sendto(head + self.send.seal(content, head), self.to)

    def write_frame(self, frame):
        """The first is the Hello, whose parts are said again until they were heard of."""
        if not self.said_hello:
            self.said_hello = True
            parts = cut(frame, HELLO_BYTES)
            head = bytes([HELLO_PART]) + bytes(4)
            self.unheard = {
                number: head + bytes([number, len(parts)]) + part
                for number, part in enumerate(parts)
            }
            self.say_hello()
            return
        if len(frame) <= WHOLE:
            self.write_content(frame)
            return
        name, parts = hashlib.sha256(frame).digest()[:8], cut(frame, FRAME_BYTES)
        for number, part in enumerate(parts):
            # A pace that no buffer of a socket on this machine minds.
            time.sleep(0.001)
            self.write_content(bytes([PART]) + name + bytes([number, len(parts)]) + part)

    def say_hello(self):
        for content in self.unheard.values():
            self.write_content(content)

    def write_end(self):
        self.write_content(bytes([CLOSE]))
        self.closed = True

    def is_hung_up(self):
        """Whether nothing but word of our Hello's parts comes for a while."""
        end = time.monotonic() + 2
        while time.monotonic() < end:
            data = self.packet(AGAIN)
            if data and data[0] == DATA:
                self.read_data(data)
            self.say_hello()
        return not self.frames and self.hello is None

    def read_frame(self):
        """A frame, or nothing where the peer has closed, or we have."""
        end = time.monotonic() + PATIENCE
        while not self.frames:
            if self.closed:
                return None
            assert time.monotonic() < end, "nothing comes"
            data = self.packet(AGAIN)
            if data is None:
                self.confirm()
                if self.role == INITIATOR and self.again:
                    self.sock.sendto(self.again, self.to)
                self.say_hello()
            elif data[0] == DATA and data[1:5] == self.own:
                self.read_data(data)
            elif self.role == RESPONDER and data == self.message3:
                self.say_parts()
            else:
                self.answer_repeated(data)
        return self.frames.pop(0)

    def read_data(self, data):
        counter = int.from_bytes(data[5:13], "big")
        try:
            content = self.receive.open_at(counter, data[13:], data[:13])
        except InvalidTag:
            return
        if counter in self.seen:
            return
        self.seen.add(counter)
        # Message 3 has come.
        self.again = None
        self.read_content(counter, content)

    def read_content(self, counter, content):
        kind, rest = content[0], content[1:]
        if kind == HELLO_PART:
            self.read_hello_part(rest)
        elif kind == HELLO_PARTS:
            heard = int.from_bytes(rest, "big")
            self.unheard = {n: part for n, part in self.unheard.items() if not heard >> n & 1}
        elif kind == PART:
            self.read_part(rest)
            self.note(counter)
        elif kind == ASK:
            self.write_content(bytes([ANSWER]))
        elif kind == WHERE:
            self.write_content(bytes([HERE]) + rest)
        elif kind == CLOSE:
            self.closed = True
        elif kind >= FRAME:
            self.frames.append(content)
            self.note(counter)
        else:
            assert kind in (RECEIVED, ANSWER, HERE), kind

    def read_hello_part(self, rest):
        assert rest[:4] == bytes(4), "new keys are not made here"
        self.hello = self.hello or Parts(rest[5])
        self.hello.take(rest[4], rest[6:])
        self.say_parts()
        whole = self.hello.whole()
        if whole is not None and not self.greeted:
            self.greeted = True
            self.frames.append(whole)

    def say_parts(self):
        heard = self.hello.bitmap() if self.hello else 0
        self.write_content(bytes([HELLO_PARTS]) + heard.to_bytes(4, "big"))

    def read_part(self, rest):
        name, number, count = rest[:8], rest[8], rest[9]
        parts = self.partial.setdefault(name, Parts(count))
        parts.take(number, rest[10:])
        frame = parts.whole()
        if frame is not None:
            assert hashlib.sha256(frame).digest()[:8] == name
            del self.partial[name]
            self.frames.append(frame)

    def note(self, counter):
        """A packet with a frame is to be confirmed: two at once, the last ones in a moment."""
        self.highest = max(self.highest, counter)
        self.to_confirm += 1
        if self.to_confirm >= 2:
            self.confirm()

    def confirm(self):
        if self.to_confirm:
            before = range(self.highest - 1, self.highest - 65, -1)
            bitmap = sum(1 << n for n, counter in enumerate(before) if counter in self.seen)
            content = self.highest.to_bytes(8, "big") + bitmap.to_bytes(8, "big")
            self.write_content(bytes([RECEIVED]) + content)
            self.to_confirm = 0


def listen(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind(("127.0.0.1", port))
    return sock


def connect(port):
    return UdpLine(listen(0), ("127.0.0.1", port))
