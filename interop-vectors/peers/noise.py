"""The hybrid Noise handshake, written from the Noise specification (revision 34), its extension for
hybrid forward secrecy, and docs/wire-format.md.

Shares no code with the implementation that it checks: X25519, the AEADs and HMAC are
`cryptography`'s, ML-KEM-768 is `kyber-py`'s. As a program it holds itself to the vectors of
data/noise, which somebody else made:

    pip install cryptography==50.0.2 kyber-py==1.2.0
    python interop-vectors/peers/noise.py interop-vectors/data/noise/*.json
"""

import hashlib
import hmac
import json
import os
import sys

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from kyber_py.ml_kem import ML_KEM_768

CHACHA_POLY, AES_GCM = 1, 2
NAMES = {
    CHACHA_POLY: b"Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256",
    AES_GCM: b"Noise_XXhfs_25519+MLKEM768_AESGCM_SHA256",
}
CIPHERS = {CHACHA_POLY: ChaCha20Poly1305, AES_GCM: AESGCM}
KEM_PUBLIC, KEM_CIPHERTEXT, TAG = 1184, 1088, 16
RESERVED = 2**64 - 1


def x25519(secret, public):
    """`cryptography` refuses a result of zeros."""
    return secret.exchange(X25519PublicKey.from_public_bytes(public))


def public(secret):
    return secret.public_key().public_bytes_raw()


def hkdf(chaining_key, data, outputs):
    """Noise section 4.3."""
    temporary = hmac.digest(chaining_key, data, "sha256")
    last, out = b"", []
    for number in range(1, outputs + 1):
        last = hmac.digest(temporary, last + bytes([number]), "sha256")
        out.append(last)
    return out


class CipherState:
    """Noise section 5.1, with a counter that can be given, for transports that lose messages."""

    def __init__(self, suite, key):
        self.suite, self.counter = suite, 0
        self.set(key)

    def set(self, key):
        self.cipher = CIPHERS[self.suite](key)

    def nonce(self, counter):
        return bytes(4) + counter.to_bytes(8, "little" if self.suite == CHACHA_POLY else "big")

    def seal_at(self, counter, plaintext, associated=b""):
        return self.cipher.encrypt(self.nonce(counter), plaintext, associated)

    def open_at(self, counter, ciphertext, associated=b""):
        return self.cipher.decrypt(self.nonce(counter), ciphertext, associated)

    def seal(self, plaintext, associated=b""):
        self.counter += 1
        return self.seal_at(self.counter - 1, plaintext, associated)

    def open(self, ciphertext, associated=b""):
        plaintext = self.open_at(self.counter, ciphertext, associated)
        self.counter += 1
        return plaintext

    def rekey(self):
        """Noise section 11.3: the counter goes on."""
        self.set(self.seal_at(RESERVED, bytes(32))[:32])


class SymmetricState:
    """Noise section 5.2."""

    def __init__(self, suite):
        self.suite = suite
        self.hash = self.chaining_key = hashlib.sha256(NAMES[suite]).digest()
        self.cipher = None

    def mix_hash(self, data):
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_key(self, data):
        self.chaining_key, key = hkdf(self.chaining_key, data, 2)
        self.cipher = CipherState(self.suite, key)

    def encrypt(self, plaintext):
        out = self.cipher.seal(plaintext, self.hash) if self.cipher else plaintext
        self.mix_hash(out)
        return out

    def decrypt(self, data):
        out = self.cipher.open(data, self.hash) if self.cipher else data
        self.mix_hash(data)
        return out

    def split(self):
        """In the middle of a handshake too."""
        return hkdf(self.chaining_key, b"", 2)


class Handshake:
    """XXhfs: `-> e, e1`, `<- e, ee, ekem1, s, es`, `-> s, se`, each with a payload."""

    def __init__(self, suite, prologue, static, ephemeral=None, seeds=None):
        self.state = SymmetricState(suite)
        self.state.mix_hash(prologue)
        self.static = static
        self.ephemeral = ephemeral or X25519PrivateKey.generate()
        # (d, z) of the key pair of who initiates, m of who answers.
        self.seeds = seeds or (os.urandom(32), os.urandom(32))
        self.remote_static = self.remote_ephemeral = None

    def mix_dh(self, secret, public):
        self.state.mix_key(x25519(secret, public))

    # The initiator.
    def write1(self, payload=b""):
        kem_public, self.kem = ML_KEM_768._keygen_internal(*self.seeds)
        e = public(self.ephemeral)
        self.state.mix_hash(e)
        return e + self.state.encrypt(kem_public) + self.state.encrypt(payload)

    def read2(self, message):
        message = self.read_ephemeral(message)
        self.mix_dh(self.ephemeral, self.remote_ephemeral)
        sealed, message = message[: KEM_CIPHERTEXT + TAG], message[KEM_CIPHERTEXT + TAG :]
        self.state.mix_key(ML_KEM_768.decaps(self.kem, self.state.decrypt(sealed)))
        message = self.read_static(message)
        self.mix_dh(self.ephemeral, self.remote_static)
        return self.state.decrypt(message)

    def write3(self, payload=b""):
        s = self.state.encrypt(public(self.static))
        self.mix_dh(self.static, self.remote_ephemeral)
        return s + self.state.encrypt(payload)

    # The responder.
    def read1(self, message):
        message = self.read_ephemeral(message)
        self.kem_public = self.state.decrypt(message[:KEM_PUBLIC])
        return self.state.decrypt(message[KEM_PUBLIC:])

    def write2(self, payload=b""):
        e = public(self.ephemeral)
        self.state.mix_hash(e)
        self.mix_dh(self.ephemeral, self.remote_ephemeral)
        shared, ciphertext = ML_KEM_768._encaps_internal(self.kem_public, self.seeds[0])
        ekem1 = self.state.encrypt(ciphertext)
        self.state.mix_key(shared)
        s = self.state.encrypt(public(self.static))
        self.mix_dh(self.static, self.remote_ephemeral)
        return e + ekem1 + s + self.state.encrypt(payload)

    def read3(self, message):
        message = self.read_static(message)
        self.mix_dh(self.ephemeral, self.remote_static)
        return self.state.decrypt(message)

    # Both.
    def read_ephemeral(self, message):
        self.remote_ephemeral, message = message[:32], message[32:]
        self.state.mix_hash(self.remote_ephemeral)
        return message

    def read_static(self, message):
        self.remote_static = self.state.decrypt(message[: 32 + TAG])
        return message[32 + TAG :]


def check(vector):
    """Both ends against one published handshake."""
    data = {key: bytes.fromhex(text) for key, text in vector.items() if isinstance(text, str)}
    key = lambda name: X25519PrivateKey.from_private_bytes(data[name])
    initiator = Handshake(
        CHACHA_POLY,
        data["prologue"],
        key("static_i_private"),
        key("ephemeral_dh_i_private"),
        (data["kem_seed_d"], data["kem_seed_z"]),
    )
    responder = Handshake(
        CHACHA_POLY,
        data["prologue"],
        key("static_r_private"),
        key("ephemeral_dh_r_private"),
        (data["encap_seed"],),
    )
    messages = [initiator.write1()]
    responder.read1(messages[0])
    messages.append(responder.write2())
    initiator.read2(messages[1])
    messages.append(initiator.write3())
    responder.read3(messages[2])
    assert messages == [data["msg_a"], data["msg_b"], data["msg_c"]]
    for end in (initiator, responder):
        assert end.state.hash == data["handshake_hash"]
        assert end.state.split() == [data["cs1_k"], data["cs2_k"]]


if __name__ == "__main__":
    for path in sys.argv[1:]:
        with open(path) as file:
            vectors = json.load(file)["vectors"]
        for vector in vectors:
            check(vector)
        print(f"{len(vectors)} handshakes as published")
