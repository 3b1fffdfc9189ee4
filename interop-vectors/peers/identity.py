"""Makes data/identity/identity.json: ids, cards and revocations, written from docs/wire-format.md.

Shares no code with the implementation that it checks: the layout, the postcard encoding and bech32m
are written out here, Ed25519 is `cryptography`'s and ML-DSA-65 is `dilithium-py`'s. Signatures are
deterministic (ML-DSA with 32 zero bytes of randomness), so the same file comes out each time.

    pip install cryptography==50.0.2 dilithium-py==1.5.1
    python interop-vectors/peers/identity.py > interop-vectors/data/identity/identity.json
"""

import hashlib
import ipaddress
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dilithium_py.ml_dsa import ML_DSA_65

VERSION = 1
DAY = 24 * 60 * 60 * 1000
NOW = 1_800_000_000_000
TRANSPORTS = ["tcp", "quic", "udp"]
PROTOCOLS = ["live", "deferred", "fleet"]


# Postcard: what the layout needs of it.
def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def blob(data):
    return varint(len(data)) + data


def option(encoded):
    return b"\x00" if encoded is None else b"\x01" + encoded


def sequence(items):
    return varint(len(items)) + b"".join(items)


# BIP 350.
CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def polymod(values):
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(
            [0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]
        ):
            check ^= generator if top >> bit & 1 else 0
    return check


def bech32m(prefix, data):
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    values = [int(bits[index : index + 5], 2) for index in range(0, len(bits), 5)]
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = polymod(expanded + values + [0] * 6) ^ 0x2BC830A3
    values += [check >> 5 * (5 - index) & 31 for index in range(6)]
    return prefix + "1" + "".join(CHARSET[value] for value in values)


class Hybrid:
    """Two keys from two seeds."""

    def __init__(self, ed25519_seed, ml_dsa_seed):
        self.seeds = (ed25519_seed, ml_dsa_seed)
        self.ed25519 = Ed25519PrivateKey.from_private_bytes(ed25519_seed)
        public, self.ml_dsa = ML_DSA_65.key_derive(ml_dsa_seed)
        self.public = self.ed25519.public_key().public_bytes_raw() + public

    def signed(self, purpose, message):
        binding = hashlib.sha256(self.public).digest()
        return b"meshwork/v1/" + purpose.encode() + b"\x00" + binding + message

    def sign(self, purpose, message):
        data = self.signed(purpose, message)
        return self.ed25519.sign(data) + ML_DSA_65.sign(self.ml_dsa, data, deterministic=True)

    def agent(self):
        return hashlib.sha256(b"meshwork/v1/agent-id\x00" + self.public).digest()


def hybrid(number):
    return Hybrid(bytes([number] * 32), bytes([number + 1] * 32))


def live_public(number):
    if isinstance(number, bytes):
        return number
    key = X25519PrivateKey.from_private_bytes(bytes([number] * 32)).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def statement(root, purpose, body, version=VERSION, agent=None, key=None):
    head = bytes([version]) + (agent or root.agent()) + root.public + body
    return head + (key or root).sign(purpose, head)


def address(text):
    transport, endpoint = text.split(":", 1)
    host, port = endpoint.rsplit(":", 1)
    if host.startswith("["):
        host = varint(2) + ipaddress.IPv6Address(host[1:-1]).packed
    elif host.replace(".", "").isdigit():
        host = varint(1) + ipaddress.IPv4Address(host).packed
    else:
        host = varint(0) + blob(host.encode())
    return varint(TRANSPORTS.index(transport)) + host + varint(int(port))


def endorsement(links):
    encoded = []
    for authority, subject, role, not_after, delegations in links:
        grant = subject + blob(role.encode()) + varint(not_after) + bytes([delegations])
        encoded.append(authority.public + grant + authority.sign("endorsement", grant))
    return sequence(encoded)


def body(card):
    return b"".join(
        [
            varint(card["sequence"]),
            varint(card["not_before"]),
            varint(card["not_after"]),
            card["signing"].public,
            live_public(card["live"]),
            option(card.get("next_live") and live_public(card["next_live"])),
            option(card.get("deferred_identity") and blob(card["deferred_identity"])),
            option(card.get("fleet_key") and blob(card["fleet_key"])),
            sequence([address(text) for text in card.get("addresses", [])]),
            sequence(
                [
                    agent + sequence([address(text) for text in addresses])
                    for agent, addresses in card.get("relays", [])
                ]
            ),
            blob(bytes(card.get("suites", []))),
            sequence([varint(PROTOCOLS.index(name)) for name in card.get("protocols", [])]),
            sequence([varint(TRANSPORTS.index(name)) for name in card.get("transports", [])]),
            sequence(
                [blob(name.encode()) + varint(number) for name, number in card.get("services", [])]
            ),
            option(card.get("region") and card["region"].encode()),
            sequence([endorsement(links) for links in card.get("endorsements", [])]),
            sequence([varint(kind) + blob(data) for kind, data in card.get("extensions", [])]),
        ]
    )


ROOT, OTHER, AUTHORITY, SIGNING = hybrid(0x10), hybrid(0x20), hybrid(0x30), hybrid(0x40)

SMALL = {
    "sequence": 1_800_000_000,
    "not_before": NOW,
    "not_after": NOW + 30 * DAY,
    "signing": SIGNING,
    "live": 0x50,
}

FULL = SMALL | {
    "next_live": 0x51,
    "deferred_identity": bytes([5] + [0x60] * 32),
    "fleet_key": bytes([0x61] * 32),
    "addresses": [
        "tcp:127.0.0.1:7400",
        "quic:[2001:db8::7400]:7401",
        "udp:agent.example.org:7402",
    ],
    "relays": [(OTHER.agent(), ["tcp:relay.example.org:443"])],
    "suites": [2, 1],
    "protocols": ["live", "deferred", "fleet"],
    "transports": ["tcp", "udp"],
    "services": [("translate", 1), ("translate", 300), ("weather.eu", 2)],
    "region": "CH",
    "endorsements": [
        [
            (AUTHORITY, OTHER.agent(), "worker", NOW + DAY, 1),
            (OTHER, ROOT.agent(), "worker", NOW + 2 * DAY, 0),
        ]
    ],
    "extensions": [(7, b"of a later version"), (0xFFFF, b"")],
}


def accepted(name, card):
    data = statement(ROOT, "card", body(card))
    shown = {
        key: card.get(key, [])
        for key in ["addresses", "suites", "protocols", "transports", "services"]
    }
    return {
        "name": name,
        "sequence": card["sequence"],
        "not_before": card["not_before"],
        "not_after": card["not_after"],
        "signing_pair": card["signing"].public.hex(),
        "live_key": live_public(card["live"]).hex(),
        "next_live_key": live_public(card["next_live"]).hex() if "next_live" in card else "",
        "deferred_identity": card.get("deferred_identity", b"").hex(),
        "fleet_key": card.get("fleet_key", b"").hex(),
        **shown,
        "relays": [[bech32m("mw", agent), places] for agent, places in card.get("relays", [])],
        "region": card.get("region", ""),
        "extensions": [[kind, value.hex()] for kind, value in card.get("extensions", [])],
        "endorsed": [
            {
                "authority": bech32m("mw", links[0][0].agent()),
                "role": links[-1][2],
                "not_after": min(link[3] for link in links),
            }
            for links in card.get("endorsements", [])
        ],
        "card": data.hex(),
        "hash": hashlib.sha256(data).hexdigest(),
    }


def refused():
    good = statement(ROOT, "card", body(SMALL))
    head, signature = good[:-3373], good[-3373:]
    forged = OTHER.sign("card", head)
    overlong = varint(SMALL["sequence"])
    overlong = overlong[:-1] + bytes([overlong[-1] | 0x80, 0])
    stretched = overlong + body(SMALL)[len(overlong) - 1 :]
    cases = {
        "ed25519 half by another key": head + forged[:64] + signature[64:],
        "ml-dsa half by another key": head + signature[:64] + forged[64:],
        "signed as a revocation": statement(ROOT, "revocation", body(SMALL)),
        "signed by another root": statement(ROOT, "card", body(SMALL), key=OTHER),
        "id of another root": statement(ROOT, "card", body(SMALL), agent=OTHER.agent()),
        "a later format": statement(ROOT, "card", body(SMALL), version=2),
        "an overlong integer": statement(ROOT, "card", stretched),
        "a byte behind the body": statement(ROOT, "card", body(SMALL) + b"\x00"),
        "a suite twice": statement(ROOT, "card", body(SMALL | {"suites": [1, 1]})),
        "31 days": statement(ROOT, "card", body(SMALL | {"not_after": NOW + 31 * DAY})),
        "the root as signing pair": statement(ROOT, "card", body(SMALL | {"signing": ROOT})),
        "expired": statement(
            ROOT, "card", body(SMALL | {"not_before": NOW - 9 * DAY, "not_after": NOW - DAY})
        ),
        "not yet valid": statement(
            ROOT, "card", body(SMALL | {"not_before": NOW + DAY, "not_after": NOW + 9 * DAY})
        ),
    }
    return [{"name": name, "card": data.hex()} for name, data in cases.items()]


def revocation(scope, encoded):
    data = statement(ROOT, "revocation", encoded + varint(NOW))
    return {"scope": scope, "issued": NOW, "revocation": data.hex()}


def vectors():
    return {
        "now": NOW,
        "root_ed25519_seed": ROOT.seeds[0].hex(),
        "root_ml_dsa_seed": ROOT.seeds[1].hex(),
        "root_public": ROOT.public.hex(),
        "agent": ROOT.agent().hex(),
        "agent_text": bech32m("mw", ROOT.agent()),
        "accepted": [accepted("small", SMALL), accepted("full", FULL)],
        "refused": refused(),
        "revocations": [
            revocation(SMALL["sequence"], varint(0) + varint(SMALL["sequence"])),
            revocation(None, varint(1)),
        ],
    }


if __name__ == "__main__":
    print(json.dumps(vectors(), indent=1))
