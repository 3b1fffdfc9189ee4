"""Pairs our `peer` program with the official client and lets the two talk.

    cargo build --release -p meshwork-interop-vectors --bin peer
    (cd FOLDER && npm install)          # a copy of this folder
    python3 drive.py target/release/peer node FOLDER/peer.mjs

Both roles, with and without a one-time prekey, with 0, 20 and 50 % of the messages lost and the rest
out of order: at least 1,200 messages each, and on until the post-quantum epoch has passed 8. Every
message that is delivered must open to what was sealed, once. The seed of a conversation decides its
schedule; keys are drawn by the two programs.
"""

import json
import random
import subprocess
import sys
import time

MESSAGES, MOST_MESSAGES, EPOCHS = 1_200, 6_000, 8
# No message is held back for so long that more than five turns pass it by.
WINDOW, MOST_WAIT = 4, 8
FIRST, RATCHET = 3, 2
UUIDS = ["9d0652a3-dcc3-4d11-975f-74d61598733f", "796abedb-ca4e-4f18-8803-1fde5b921f9f"]


class Program:
    def __init__(self, command):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def try_ask(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"a peer ended at {command['cmd']}")
        return json.loads(line)

    def ask(self, **command):
        answer = self.try_ask(**command)
        if not answer["ok"]:
            raise SystemExit(f"{command['cmd']} failed: {answer}")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Party:
    def __init__(self, program, name, device):
        self.program, self.address = program, {"name": name, "device": device}
        self.id = f"{name}.{device}.{id(self)}"
        self.key = program.ask(
            cmd="new", id=self.id, name=name, device=device, reg=1000 + device
        )["identity_key"]
        self.peer = None

    def ask(self, command, **arguments):
        return self.program.ask(cmd=command, id=self.id, peer=self.peer, **arguments)

    def refuses(self, command, **arguments):
        answer = self.program.try_ask(cmd=command, id=self.id, peer=self.peer, **arguments)
        return None if answer["ok"] else answer["code"]


def fields(data):
    """The fields of a protocol buffer, the last of each number."""
    found, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            found[key >> 3] = varint()
        else:
            length = varint()
            found[key >> 3] = data[at : at + length]
            at += length
    return found


def epoch_of(kind, wire):
    message = fields(bytes.fromhex(wire)[1:])[4] if kind == FIRST else bytes.fromhex(wire)
    beside = fields(message[1:-8])[5]
    value = shift = 0
    for byte in beside[1:]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value


def meet(ours, theirs, we_initiate, one_time, names):
    a, b = Party(ours, names[0], 1), Party(theirs, names[1], 3)
    a.peer, b.peer = b.address, a.address
    initiator, responder = (a, b) if we_initiate else (b, a)
    numbers = {"spk": 22, "kyber": 44, **({"pre": 33} if one_time else {})}
    bundle = responder.program.ask(cmd="prekeys", id=responder.id, **numbers)["public"]
    initiator.ask("process", bundle=bundle)
    return initiator, responder


def talk(ours, theirs, we_initiate, one_time, loss, seed):
    draw = random.Random(seed)
    names = UUIDS if seed % 2 else ["alice", "bob"]
    initiator, responder = meet(ours, theirs, we_initiate, one_time, names)
    queues = {id(initiator): [], id(responder): []}
    sent = delivered = epoch = 0
    answered = False

    def deliver(party, place):
        nonlocal delivered
        _, kind, wire, plaintext = queues[id(party)].pop(place)
        opened = party.ask("decrypt", type=kind, wire=wire)["plaintext"]
        assert opened == plaintext, f"{opened} is not {plaintext}"
        delivered += 1
        if draw.random() < 0.02:
            code = party.refuses("decrypt", type=kind, wire=wire)
            assert code == "DuplicatedMessage", f"a copy got {code}"

    while sent < MESSAGES or (epoch <= EPOCHS and sent < MOST_MESSAGES):
        sender, receiver = initiator, responder
        # Only who was written to can answer.
        if answered and draw.random() < 0.5:
            sender, receiver = receiver, sender
        plaintext = draw.randbytes(draw.choice([0, 1, 15, 16, 64, 300])).hex()
        answer = sender.ask("encrypt", plaintext=plaintext)
        sent += 1
        epoch = max(epoch, epoch_of(answer["type"], answer["wire"]))
        if not answered or draw.random() >= loss:
            queues[id(receiver)].append((sent, answer["type"], answer["wire"], plaintext))
        if not answered:
            deliver(receiver, 0)
            answered = True
        for party in (initiator, responder):
            queue = queues[id(party)]
            while queue and sent - queue[0][0] >= MOST_WAIT:
                deliver(party, 0)
            while queue and (loss == 0 and draw.random() < 0.5 or len(queue) > WINDOW):
                deliver(party, draw.randrange(len(queue)))
    for party in (initiator, responder):
        while queues[id(party)]:
            deliver(party, draw.randrange(len(queues[id(party)])))
    assert epoch > EPOCHS, f"the epoch came to {epoch} only, in {sent} messages"
    return sent, delivered, epoch


def archive(ours, theirs, we_initiate):
    """A new session beside an old one whose mail is still under way."""
    initiator, responder = meet(ours, theirs, we_initiate, True, ["alice", "bob"])

    def send(sender, receiver, text):
        answer = sender.ask("encrypt", plaintext=text.encode().hex())
        return lambda: receiver.ask("decrypt", type=answer["type"], wire=answer["wire"])

    send(initiator, responder, "first")()
    send(responder, initiator, "reply")()
    late = [send(responder, initiator, "late"), send(initiator, responder, "late too")]
    initiator.ask("archive")
    bundle = responder.program.ask(cmd="prekeys", id=responder.id, spk=23, kyber=45, pre=34)
    initiator.ask("process", bundle=bundle["public"])
    send(initiator, responder, "second session")()
    for deliver in late:
        deliver()
    send(responder, initiator, "answer")()
    send(initiator, responder, "and again")()


def signatures(ours, theirs):
    for number in range(20):
        party = Party([ours, theirs][number % 2], "signer", 1)
        data = random.Random(number).randbytes(number * 7).hex()
        signature = party.program.ask(cmd="sign", id=party.id, data=data)["signature"]
        for program in (ours, theirs):
            for signed, valid in [(data, True), (data + "00", False)]:
                arguments = {"pub": party.key, "data": signed, "signature": signature}
                assert program.ask(cmd="verify", **arguments)["valid"] is valid


def main():
    ours, theirs = Program(sys.argv[1:2]), Program(sys.argv[2:])
    signatures(ours, theirs)
    total, seed = 0, 0
    for we_initiate in (True, False):
        archive(ours, theirs, we_initiate)
        for one_time in (True, False):
            for loss in (0, 0.2, 0.5):
                seed += 1
                start = time.monotonic()
                sent, delivered, epoch = talk(ours, theirs, we_initiate, one_time, loss, seed)
                total += sent
                print(
                    f"{'we' if we_initiate else 'they'} initiate,"
                    f" {'with' if one_time else 'without'} one-time key, {loss:.0%} lost:"
                    f" {sent} sealed, {delivered} opened, epoch {epoch},"
                    f" {time.monotonic() - start:.1f} s",
                    flush=True,
                )
    ours.close()
    theirs.close()
    print(f"{total} messages between two implementations, none failed")


main()
