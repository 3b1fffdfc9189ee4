// The official client behind the commands of our own `peer` program (src/bin/peer): one JSON command
// a line on standard input, one JSON answer a line on standard output. A separate program, installed
// by package name; nothing of it is shipped or linked.
import readline from 'node:readline';
import * as client from '@signalapp/libsignal-client';

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const unhex = (text) => new Uint8Array(Buffer.from(text, 'hex'));
const curveKey = (text) => client.PublicKey.deserialize(unhex(text));

// What the client keeps in stores of its user's.
class Sessions extends client.SessionStore {
  records = new Map();
  async saveSession(address, record) { this.records.set(address.toString(), record.serialize()); }
  async getSession(address) {
    const record = this.records.get(address.toString());
    return record ? client.SessionRecord.deserialize(record) : null;
  }
  async getExistingSessions(addresses) {
    return Promise.all(addresses.map((address) => this.getSession(address)));
  }
}

class Identities extends client.IdentityKeyStore {
  known = new Map();
  constructor(secret, registration) {
    super();
    this.secret = secret;
    this.registration = registration;
  }
  async getIdentityKey() { return this.secret; }
  async getLocalRegistrationId() { return this.registration; }
  async saveIdentity(address, key) {
    const [before, now] = [this.known.get(address.toString()), hex(key.serialize())];
    this.known.set(address.toString(), now);
    return before && before !== now
      ? client.IdentityChange.ReplacedExisting
      : client.IdentityChange.NewOrUnchanged;
  }
  async isTrustedIdentity() { return true; }
  async getIdentity(address) {
    const key = this.known.get(address.toString());
    return key ? curveKey(key) : null;
  }
}

const keeper = (Store, kind) => class extends Store {
  records = new Map();
  find(id) {
    if (!this.records.has(id)) throw new Error(`no ${kind} with number ${id}`);
    return this.records.get(id);
  }
};
class OneTime extends keeper(client.PreKeyStore, 'one-time prekey') {
  async savePreKey(id, record) { this.records.set(id, record); }
  async getPreKey(id) { return this.find(id); }
  async removePreKey(id) { this.records.delete(id); }
}
class Signed extends keeper(client.SignedPreKeyStore, 'signed prekey') {
  async saveSignedPreKey(id, record) { this.records.set(id, record); }
  async getSignedPreKey(id) { return this.find(id); }
}
class Kem extends keeper(client.KyberPreKeyStore, 'KEM prekey') {
  async saveKyberPreKey(id, record) { this.records.set(id, record); }
  async getKyberPreKey(id) { return this.find(id); }
  async markKyberPreKeyUsed() {}
}

class Party {
  constructor({ name, device, reg, identity_private }) {
    const secret = identity_private
      ? client.PrivateKey.deserialize(unhex(identity_private))
      : client.PrivateKey.generate();
    this.address = client.ProtocolAddress.new(name, device);
    Object.assign(this, { device, registration: reg, secret });
    this.identities = new Identities(secret, reg);
    this.sessions = new Sessions();
    this.oneTime = new OneTime();
    this.signed = new Signed();
    this.kem = new Kem();
  }

  async prekeys({ spk = 1, pre = null, kyber = 1 }) {
    const made = Date.now();
    const key = client.PrivateKey.generate();
    const signature = this.secret.sign(key.getPublicKey().serialize());
    const signed = client.SignedPreKeyRecord.new(spk, made, key.getPublicKey(), key, signature);
    await this.signed.saveSignedPreKey(spk, signed);
    const pair = client.KEMKeyPair.generate();
    const kemSignature = this.secret.sign(pair.getPublicKey().serialize());
    const kem = client.KyberPreKeyRecord.new(kyber, made, pair, kemSignature);
    await this.kem.saveKyberPreKey(kyber, kem);
    let oneTime = null;
    if (pre !== null) {
      const once = client.PrivateKey.generate();
      await this.oneTime.savePreKey(pre, client.PreKeyRecord.new(pre, once.getPublicKey(), once));
      oneTime = { id: pre, public: hex(once.getPublicKey().serialize()) };
    }
    const part = (id, key, signature) =>
      ({ id, public: hex(key.serialize()), signature: hex(signature) });
    return {
      public: {
        registration_id: this.registration,
        device_id: this.device,
        identity_key: hex(this.secret.getPublicKey().serialize()),
        signed_prekey: part(spk, key.getPublicKey(), signature),
        kyber_prekey: part(kyber, pair.getPublicKey(), kemSignature),
        one_time_prekey: oneTime,
      },
    };
  }

  async process(peer, bundle) {
    const once = bundle.one_time_prekey;
    const parts = client.PreKeyBundle.new(
      bundle.registration_id, bundle.device_id,
      once?.id ?? null, once ? curveKey(once.public) : null,
      bundle.signed_prekey.id, curveKey(bundle.signed_prekey.public),
      unhex(bundle.signed_prekey.signature), curveKey(bundle.identity_key),
      bundle.kyber_prekey.id, client.KEMPublicKey.deserialize(unhex(bundle.kyber_prekey.public)),
      unhex(bundle.kyber_prekey.signature));
    await client.processPreKeyBundle(parts, peer, this.address, this.sessions, this.identities);
    return {};
  }

  async encrypt(peer, plaintext) {
    const message = await client.signalEncrypt(
      plaintext, peer, this.address, this.sessions, this.identities);
    return { type: message.type(), wire: hex(message.serialize()) };
  }

  async decrypt(peer, type, wire) {
    const [sessions, identities] = [this.sessions, this.identities];
    const plaintext = type === client.CiphertextMessageType.PreKey
      ? await client.signalDecryptPreKey(
        client.PreKeySignalMessage.deserialize(wire), peer, this.address, sessions, identities,
        this.oneTime, this.signed, this.kem)
      : await client.signalDecrypt(
        client.SignalMessage.deserialize(wire), peer, this.address, sessions, identities);
    return { plaintext: hex(plaintext) };
  }

  async archive(peer) {
    const record = await this.sessions.getSession(peer);
    record.archiveCurrentState();
    await this.sessions.saveSession(peer, record);
    return {};
  }
}

const parties = new Map();
const peerOf = ({ peer }) => client.ProtocolAddress.new(peer.name, peer.device);
const commands = {
  async new(command) {
    const party = new Party(command);
    parties.set(command.id, party);
    return {
      identity_key: hex(party.secret.getPublicKey().serialize()),
      identity_private: hex(party.secret.serialize()),
    };
  },
  prekeys: (command) => parties.get(command.id).prekeys(command),
  process: (command) => parties.get(command.id).process(peerOf(command), command.bundle),
  encrypt: (command) =>
    parties.get(command.id).encrypt(peerOf(command), unhex(command.plaintext)),
  decrypt: (command) =>
    parties.get(command.id).decrypt(peerOf(command), command.type, unhex(command.wire)),
  archive: (command) => parties.get(command.id).archive(peerOf(command)),
  async session(command) {
    const record = parties.get(command.id).sessions.records.get(peerOf(command).toString());
    return { record: record ? hex(record) : null };
  },
  async sign(command) {
    return { signature: hex(parties.get(command.id).secret.sign(unhex(command.data))) };
  },
  async verify(command) {
    return { valid: curveKey(command.pub).verify(unhex(command.data), unhex(command.signature)) };
  },
};

client.initLogger(client.LogLevel.Error, () => {});
for await (const line of readline.createInterface({ input: process.stdin })) {
  if (!line.trim()) continue;
  let answer;
  try {
    const command = JSON.parse(line);
    answer = { ok: true, ...(await commands[command.cmd](command)) };
  } catch (error) {
    answer = { ok: false, code: client.ErrorCode[error.code] ?? null, error: error.message };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
