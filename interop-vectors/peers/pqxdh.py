"""Makes data/deferred/pqxdh.json: how a session of suite 0x0A begins, from the secrets to the bytes of
its first message, written from docs/wire-format.md.

Shares no code with the implementation that it checks: X25519 and AES are `cryptography`'s,
ML-KEM-1024 and ML-KEM-768 are `kyber-py`'s, and the rest is written out here. The responder's side is
computed from the message alone and must come to the same, so that the file also holds for itself.

    pip install cryptography==50.0.2 kyber-py==1.2.0
    python interop-vectors/peers/pqxdh.py > interop-vectors/data/deferred/pqxdh.json
"""

import hashlib
import hmac
import json

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from kyber_py.ml_kem import ML_KEM_768, ML_KEM_1024

SUITE = b"\x0a"
LABEL = b"Meshwork_X25519_SHA-256_ML-KEM-1024"
ZEROS = bytes(32)
VERSION = b"\x44"
BRAID = b"Signal_PQCKA_V1_MLKEM768:"


def hkdf(salt, data, info, length):
    key, out, last = hmac.digest(salt, data, "sha256"), b"", b""
    for number in range(1, -(-length // 32) + 1):
        last = hmac.digest(key, last + info + bytes([number]), "sha256")
        out += last
    return out[:length]


def parts(data, *lengths):
    out = []
    for length in lengths:
        out.append(data[:length])
        data = data[length:]
    return out


class Curve:
    def __init__(self, secret):
        self.secret = secret
        self.key = X25519PrivateKey.from_private_bytes(secret)
        self.u = self.key.public_key().public_bytes_raw()
        self.public = b"\x05" + self.u

    def agree(self, public):
        return self.key.exchange(X25519PublicKey.from_public_bytes(public[1:]))


# Protocol buffers, as far as the two messages need them.
def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def number(field, value):
    return varint(field << 3) + varint(value)


def blob(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def fields(data):
    found, at = {}, 0

    def take():
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 0x80:
                return value

    while at < len(data):
        key = take()
        found[key >> 3] = take()
        if key & 7 == 2:
            length, found[key >> 3] = found[key >> 3], None
            found[key >> 3] = data[at : at + length]
            at += length
    return found


# The handshake.
def agreement(secrets, context):
    keys = hkdf(ZEROS, b"\xff" * 32 + b"".join(secrets), LABEL + context, 96)
    return parts(keys, 32, 32, 32)


# The ratchets.
def turn(root, shared):
    return parts(hkdf(root, shared, b"WhisperRatchet", 64), 32, 32)


def message_keys(chain, braid_key):
    """Of the first message of a chain."""
    seed = hmac.digest(chain, b"\x01", "sha256")
    return parts(hkdf(braid_key, seed, b"WhisperMessageKeys", 80), 32, 32, 16)


def braid_chain(key):
    """The key of A's first message."""
    start = hkdf(ZEROS, key, b"Signal PQ Ratchet V1 Chain  Start", 96)
    _, a_to_b, _ = parts(start, 32, 32, 32)
    info = (1).to_bytes(4, "big") + b"Signal PQ Ratchet V1 Chain Next"
    return parts(hkdf(ZEROS, a_to_b, info, 64), 32, 32)[1]


def braid_field(seed):
    """The first chunk of the header of A's KEM key, which is its rho."""
    public, _ = ML_KEM_768.key_derive(seed)
    return b"\x01" + varint(1) + varint(1) + b"\x01" + varint(0) + public[1152:]


def cipher(key, iv):
    return Cipher(algorithms.AES(key), modes.CBC(iv))


def encrypt(key, iv, plaintext):
    padder, encryptor = PKCS7(128).padder(), cipher(key, iv).encryptor()
    padded = padder.update(plaintext) + padder.finalize()
    return encryptor.update(padded) + encryptor.finalize()


def decrypt(key, iv, ciphertext):
    unpadder, decryptor = PKCS7(128).unpadder(), cipher(key, iv).decryptor()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()


def first_message(case, kem_ciphertext, root, chain_braid):
    a, b = case["a"], case["b"]
    _, chain = turn(root, a["ratchet"].agree(b["signed"].public))
    key, mac_key, iv = message_keys(chain, braid_chain(chain_braid))
    inner = VERSION + blob(1, a["ratchet"].public) + number(2, 0) + number(3, 0)
    inner += blob(4, encrypt(key, iv, case["plaintext"])) + blob(5, braid_field(a["braid_seed"]))
    ends = a["identity"].public + b["identity"].public
    inner += hmac.digest(mac_key, ends + inner, "sha256")[:8]
    out = VERSION + (number(1, case["ids"][0]) if b["one_time"] else b"")
    out += blob(2, a["base"].public) + blob(3, a["identity"].public) + blob(4, inner)
    out += number(5, 0) + number(6, case["ids"][1]) + number(7, case["ids"][2])
    return out + blob(8, kem_ciphertext)


def initiate(case):
    a, b = case["a"], case["b"]
    kem_public, _ = ML_KEM_1024.key_derive(b["kem_seed"])
    shared, ciphertext = ML_KEM_1024._encaps_internal(kem_public, a["kem_message"])
    secrets = [
        a["identity"].agree(b["signed"].public),
        a["base"].agree(b["identity"].public),
        a["base"].agree(b["signed"].public),
        *([a["base"].agree(b["one_time"].public)] if b["one_time"] else []),
        shared,
    ]
    keys = agreement(secrets, case["context"])
    message = first_message(case, SUITE + ciphertext, keys[0], keys[2])
    return SUITE + kem_public, SUITE + ciphertext, shared, keys, message


def respond(case, message):
    """From the message and the responder's secrets alone."""
    b, outer = case["b"], fields(message[1:])
    _, kem_secret = ML_KEM_1024.key_derive(b["kem_seed"])
    base, identity = outer[2], outer[3]
    secrets = [
        b["signed"].agree(identity),
        b["identity"].agree(base),
        b["signed"].agree(base),
        *([b["one_time"].agree(base)] if 1 in outer else []),
        ML_KEM_1024.decaps(kem_secret, outer[8][1:]),
    ]
    root, chain, braid = agreement(secrets, case["context"])
    signed, mac = outer[4][:-8], outer[4][-8:]
    inner = fields(signed[1:])
    _, receiving = turn(root, b["signed"].agree(inner[1]))
    key, mac_key, iv = message_keys(receiving, braid_chain(braid))
    ends = identity + b["identity"].public
    assert hmac.digest(mac_key, ends + signed, "sha256")[:8] == mac
    return [root, chain, braid], decrypt(key, iv, inner[4])


def case(base, one_time):
    def secret(offset):
        return hashlib.sha256(bytes([base, offset])).digest()

    def curve(offset):
        return Curve(secret(offset))

    return {
        "a": {
            "identity": curve(1),
            "base": curve(2),
            "kem_message": secret(3),
            "ratchet": curve(4),
            "braid_seed": secret(5) + secret(6),
        },
        "b": {
            "identity": curve(7),
            "signed": curve(8),
            "kem_seed": secret(9) + secret(10),
            "one_time": curve(11) if one_time else None,
        },
        "ids": [33, 22, 44],
        "context": secret(12) + secret(13) + secret(14),
        "plaintext": b"to an agent that is away" * base,
    }


def written(case):
    kem_public, kem_ciphertext, kem_secret, keys, message = initiate(case)
    assert respond(case, message) == (keys, case["plaintext"])
    a, b = case["a"], case["b"]
    return {
        "initiator_identity": a["identity"].secret,
        "initiator_base": a["base"].secret,
        "kem_message": a["kem_message"],
        "initiator_ratchet": a["ratchet"].secret,
        "braid_seed": a["braid_seed"],
        "responder_identity": b["identity"].secret,
        "responder_signed": b["signed"].secret,
        "responder_one_time": b["one_time"] and b["one_time"].secret,
        "kem_seed": b["kem_seed"],
        "ids": case["ids"],
        "context": case["context"],
        "plaintext": case["plaintext"],
        "kem_public": kem_public,
        "kem_ciphertext": kem_ciphertext,
        "kem_secret": kem_secret,
        "root_key": keys[0],
        "chain_key": keys[1],
        "braid_key": keys[2],
        "first_message": message,
    }


def main():
    cases = [written(case(1, True)), written(case(2, False))]
    origin = "interop-vectors/peers/pqxdh.py (cryptography 50.0.2, kyber-py 1.2.0)"
    out = {"origin": origin, "licence": "as this repository", "cases": cases}
    print(json.dumps(out, indent=1, default=bytes.hex))


main()
