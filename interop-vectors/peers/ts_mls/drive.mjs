// Pairs our `fleet_peer` program with ts-mls and lets the two share groups.
//
//     cargo build --release -p meshwork-interop-vectors --bin fleet_peer
//     (cd FOLDER && npm install)          # a copy of this folder
//     node FOLDER/drive.mjs target/release/fleet_peer [RECORD.json]
//
// In both suites: key packages, Welcomes, commits with and without new keys, removals and messages
// both ways, in a group that we founded and in one that ts-mls founded. After each epoch the
// authenticators must be equal. With a second argument the run is written there, as
// data/fleet/ts-mls.json holds one.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import readline from 'node:readline';
import * as mls from 'ts-mls';
import { decodeKeyPackage, encodeKeyPackage } from 'ts-mls/keyPackage.js';
import { decodeRatchetTree, encodeRatchetTree } from 'ts-mls/ratchetTree.js';

const CHARTER = 0xf4d1;
const LAST_RESORT = 0x000a;
// The lifetime that no clock ends.
const ENDLESS = { notBefore: 0n, notAfter: 2n ** 63n - 1n };
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const unhex = (text) => new Uint8Array(Buffer.from(text, 'hex'));
const text = (words) => new TextEncoder().encode(words);

// ts-mls knows 0x004F under another name, with other primitives; what it computes with is given here.
const classical = mls.getCiphersuiteFromName('MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519');
const hybrid = {
  name: 'MLS_256_MLKEM768_AES256GCM_SHA384_Ed25519',
  hash: 'SHA-256',
  hpke: { kem: 'X-Wing', aead: 'AES128GCM', kdf: 'HKDF-SHA256' },
  signature: 'Ed25519',
};
const SUITES = [[0x004f, hybrid], [0x0001, classical]];

class Ours {
  steps = [];
  constructor(program) {
    this.process = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = readline.createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
  }
  async ask(cmd, id, more = {}) {
    const command = { cmd, id, ...more };
    this.process.stdin.write(`${JSON.stringify(command)}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`our peer ended at ${cmd}`);
    const answer = JSON.parse(value);
    if (!answer.ok) throw new Error(`${cmd} of ${id}: ${answer.error}`);
    this.steps.push({ command, answer });
    return answer;
  }
  end() { this.process.stdin.end(); }
}

// A member by ts-mls, whose card our program holds.
class Theirs {
  constructor(ours, code, suite) { Object.assign(this, { ours, code, suite, id: 'theirs' }); }
  async introduce() {
    this.keys = await this.suite.signature.keygen();
    const { credential } = await this.ours.ask('stranger', this.id, {
      suite: this.code, number: 99, public: hex(this.keys.publicKey),
    });
    this.credential = { credentialType: 'basic', identity: unhex(credential) };
  }
  async makePackage() {
    const capabilities = {
      versions: ['mls10'],
      ciphersuites: [this.suite.name],
      extensions: [CHARTER, LAST_RESORT],
      proposals: [],
      credentials: ['basic'],
    };
    const made = await mls.generateKeyPackageWithKey(
      this.credential, capabilities, ENDLESS, [], this.keys, this.suite);
    this.made = made;
    return made;
  }
  async found(charter) {
    const { publicPackage, privatePackage } = await this.makePackage();
    const required = mls.encodeRequiredCapabilities(
      { extensionTypes: [CHARTER], proposalTypes: [], credentialTypes: [] });
    const extensions = [
      { extensionType: 'required_capabilities', extensionData: required },
      { extensionType: CHARTER, extensionData: charter },
    ];
    const id = crypto.getRandomValues(new Uint8Array(32));
    this.state = await mls.createGroup(id, publicPackage, privatePackage, extensions, this.suite);
  }
  async join(welcome, tree) {
    const message = decoded(mls.decodeMlsMessage, welcome);
    const { publicPackage, privatePackage } = this.made;
    this.state = await mls.joinGroup(message.welcome, publicPackage, privatePackage,
      mls.emptyPskIndex, this.suite, decoded(decodeRatchetTree, tree));
  }
  async commit(extraProposals = [], authenticatedData = new Uint8Array()) {
    const result = await mls.createCommit(
      { state: this.state, cipherSuite: this.suite }, { extraProposals, authenticatedData });
    this.state = result.newState;
    const welcome = result.welcome && hex(mls.encodeMlsMessage(
      { version: 'mls10', wireformat: 'mls_welcome', welcome: result.welcome }));
    const tree = hex(encodeRatchetTree(this.state.ratchetTree));
    return { commit: hex(mls.encodeMlsMessage(result.commit)), welcome, tree };
  }
  add({ package: bytes, associated }) {
    const keyPackage = decoded(decodeKeyPackage, unhex(bytes));
    return this.commit([{ proposalType: 'add', add: { keyPackage } }], unhex(associated));
  }
  remove(leaf) { return this.commit([{ proposalType: 'remove', remove: { removed: leaf } }]); }
  async seal(words) {
    const result = await mls.createApplicationMessage(this.state, text(words), this.suite);
    this.state = result.newState;
    const { privateMessage } = result;
    return hex(mls.encodeMlsMessage(
      { version: 'mls10', wireformat: 'mls_private_message', privateMessage }));
  }
  async receive(bytes) {
    const message = decoded(mls.decodeMlsMessage, unhex(bytes));
    const result = await mls.processMessage(
      message, this.state, mls.emptyPskIndex, mls.acceptAll, this.suite);
    this.state = result.newState;
    return result;
  }
  epoch() {
    const { groupContext, keySchedule } = this.state;
    return {
      epoch: Number(groupContext.epoch), authenticator: hex(keySchedule.epochAuthenticator),
    };
  }
}

function decoded(decode, bytes) {
  const result = decode(bytes, 0);
  if (!result || result[1] !== bytes.length) throw new Error('ts-mls does not decode it');
  return result[0];
}

function demand(holds, what) {
  if (!holds) throw new Error(`failed: ${what}`);
}

// Each of ours is where ts-mls is.
async function agree(ours, theirs, ...ids) {
  for (const id of ids) await ours.ask('agree', id, theirs.epoch());
}

// Messages both ways.
async function talk(ours, theirs, ...ids) {
  for (const id of ids) {
    const { message } = await ours.ask('seal', id, { payload: hex(text(`from ${id}`)) });
    const result = await theirs.receive(message);
    // In front of each payload stands its kind.
    demand(result.kind === 'applicationMessage'
      && hex(result.message) === `00${hex(text(`from ${id}`))}`, `a message from ${id}`);
    for (const other of ids.filter((other) => other !== id)) {
      await ours.ask('receive', other, { message });
    }
  }
  const message = await theirs.seal('\0from theirs');
  for (const id of ids) {
    const { payload } = await ours.ask('receive', id, { message });
    demand(payload === hex(text('from theirs')), `a message to ${id}`);
  }
}

// A group that we founded.
async function foundedByUs(ours, theirs) {
  await ours.ask('found', 'alice', { admins: ['alice', 'theirs'] });
  const { publicPackage } = await theirs.makePackage();
  await ours.ask('vouch', 'theirs', { package: hex(encodeKeyPackage(publicPackage)) });
  const added = await ours.ask('commit', 'alice', { add: ['theirs'] });
  await theirs.join(unhex(added.welcomes[0]), unhex(added.tree));
  await agree(ours, theirs, 'alice');
  await talk(ours, theirs, 'alice');

  const update = await theirs.commit();
  await ours.ask('receive', 'alice', { commit: update.commit });
  await agree(ours, theirs, 'alice');
  await theirs.receive((await ours.ask('commit', 'alice', { rotate: true })).commit);
  await agree(ours, theirs, 'alice');

  const invited = await theirs.add(await ours.ask('offer', 'bob'));
  await ours.ask('receive', 'alice', { commit: invited.commit });
  await ours.ask('join', 'bob', { welcome: invited.welcome, tree: invited.tree });
  await agree(ours, theirs, 'alice', 'bob');
  await talk(ours, theirs, 'alice', 'bob');

  const rotated = await ours.ask('commit', 'bob', { rotate: true });
  await theirs.receive(rotated.commit);
  await ours.ask('receive', 'alice', { commit: rotated.commit });
  await agree(ours, theirs, 'alice', 'bob');

  const removal = await theirs.remove(2);
  await ours.ask('receive', 'alice', { commit: removal.commit });
  const { received } = await ours.ask('receive', 'bob', { commit: removal.commit });
  demand(received === 'removed', 'bob was removed');
  await agree(ours, theirs, 'alice');
  await talk(ours, theirs, 'alice');

  await ours.ask('offer', 'bob');
  const again = await ours.ask('commit', 'alice', { add: ['bob'], rotate: true });
  await theirs.receive(again.commit);
  await ours.ask('join', 'bob', { welcome: again.welcomes[0], tree: again.tree });
  await agree(ours, theirs, 'alice', 'bob');
  const last = await ours.ask('commit', 'alice', { remove: ['bob'] });
  await theirs.receive(last.commit);
  await ours.ask('receive', 'bob', { commit: last.commit });
  await agree(ours, theirs, 'alice');
  await talk(ours, theirs, 'alice');
}

// A group that ts-mls founded, which removes it at the end.
async function foundedByThem(ours, theirs) {
  const { charter } = await ours.ask('charter', 'carol', { admins: ['carol', 'theirs'] });
  await theirs.found(unhex(charter));
  const invited = await theirs.add(await ours.ask('offer', 'carol'));
  await ours.ask('join', 'carol', { welcome: invited.welcome, tree: invited.tree });
  await agree(ours, theirs, 'carol');
  await talk(ours, theirs, 'carol');
  await theirs.receive((await ours.ask('commit', 'carol', { rotate: true })).commit);
  await agree(ours, theirs, 'carol');
  const { commit } = await ours.ask('commit', 'carol', { remove: ['theirs'] });
  await theirs.receive(commit);
  demand(theirs.state.groupActiveState.kind === 'removedFromGroup', 'ts-mls was removed');
}

const [program, record] = process.argv.slice(2);
const cases = [];
for (const [code, suite] of SUITES) {
  const ours = new Ours(program);
  const theirs = new Theirs(ours, code, await mls.getCiphersuiteImpl(suite));
  for (const [number, id] of [[1, 'alice'], [2, 'bob'], [3, 'carol']]) {
    await ours.ask('new', id, { suite: code, number });
  }
  await theirs.introduce();
  await foundedByUs(ours, theirs);
  await foundedByThem(ours, theirs);
  ours.end();
  const name = `0x${code.toString(16).padStart(4, '0')}`;
  console.log(`suite ${name}: ${ours.steps.length} steps, all epochs agree`);
  cases.push({ id: name, suite: code, steps: ours.steps });
}
if (record) {
  const origin = 'npm ts-mls 1.6.4 with our fleet_peer, by peers/ts_mls/drive.mjs';
  writeFileSync(record, `${JSON.stringify({ origin, licence: 'MIT OR Apache-2.0', cases }, null, 1)}\n`);
}
