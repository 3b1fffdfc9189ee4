//! Reads a state by `docs/state.md` and the primitives alone.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends where something is not as it set it up"
)]

use std::fs;
use std::sync::Arc;

use meshwork_protocols::provider::pure::Pure;
use meshwork_protocols::provider::{Aead, Provider};
use meshwork_protocols::secret::{Secret, SecretBytes};
use meshwork_protocols::time::WallTime;
use meshwork_state::{Batch, Cipher, FileWitness, Namespace, Sealing, State, Unlock, key_file};
use redb::{Database, ReadableDatabase, TableDefinition};

const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("rows");

struct Reader {
    database: Database,
    aead: Aead,
    cipher: &'static str,
    format: u8,
}

impl Reader {
    fn record(&self, namespace: u8, key: &[u8]) -> Vec<u8> {
        let table = self.database.begin_read().unwrap().open_table(ROWS).unwrap();
        let value = table.get([&[namespace], key].concat().as_slice()).unwrap().unwrap();
        value.value().to_vec()
    }

    fn store_id(&self) -> Vec<u8> {
        let format = self.record(0, b"format");
        assert_eq!(format[..12], *b"\x00\x01MESHWORK\x00\x01");
        assert_eq!(format.len(), 12 + 16);
        format[12..].to_vec()
    }

    fn open(&self, namespace: u8, key: &[u8], secret: &[u8], purpose: &str) -> Vec<u8> {
        let record = self.record(namespace, key);
        assert_eq!(record[..2], [self.format, 1]);
        let info = format!("meshwork/v1/state/{purpose}/{}", self.cipher);
        let mut derived = Secret::new([0; 32]);
        Pure.hkdf_sha256(&self.store_id(), secret, info.as_bytes(), derived.expose_mut()).unwrap();
        let associated = [&self.store_id(), &[namespace, self.format, 1][..], key].concat();
        let aead = Pure.aead(self.aead, &derived);
        aead.open(&record[2..26], &associated, &record[26..]).unwrap().expose().to_vec()
    }
}

#[test]
fn a_state_is_laid_out_as_documented() {
    for (cipher, aead, name, format) in [
        (Cipher::XChaCha20Poly1305, Aead::XChaCha20Poly1305, "xchacha20-poly1305", 1),
        (Cipher::Xaes256Gcm, Aead::Xaes256Gcm, "xaes-256-gcm", 2),
    ] {
        let root = tempfile::tempdir().unwrap();
        let (folder, witness, key_path) =
            (root.path().join("state"), root.path().join("witness"), root.path().join("key"));
        key_file::create(&key_path, &Pure, &mut *Pure.random()).unwrap();
        let state = State::create(
            &folder,
            Box::new(FileWitness::in_folder(&witness)),
            &Unlock::KeyFile(key_path.clone()),
            Sealing::new(Arc::new(Pure)).with_cipher(cipher),
            WallTime::from_millis(0x0102_0304_0506),
        )
        .unwrap();
        let mut batch = Batch::new();
        batch.put(Namespace::Own, *b"name", SecretBytes::new(b"ada".to_vec()));
        batch.put(Namespace::Session, *b"peer", SecretBytes::new(b"ratchet".to_vec()));
        state.commit(&batch).unwrap();
        let lineage = state.lineage();
        state.close().unwrap();

        // The owner's key.
        let line = fs::read_to_string(&key_path).unwrap();
        let key = line.split(' ').nth(1).unwrap();
        let key: Vec<u8> =
            (0..32).map(|at| u8::from_str_radix(&key[2 * at..2 * at + 2], 16).unwrap()).collect();

        // The rows, from the data key down.
        let database = Database::open(folder.join("state.redb")).unwrap();
        let reader = Reader { database, aead, cipher: name, format };
        assert_eq!(reader.record(0, b"lock"), [0, 1, 0]);
        let data_key = reader.open(0, b"data-key", &key, "key-encryption");
        assert_eq!(data_key.len(), 32);
        assert_eq!(reader.open(1, b"name", &data_key, "data"), b"ada");
        let session_key = reader.open(0, b"session-key", &data_key, "data");
        assert_eq!(session_key[32..], [0, 0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(reader.open(10, b"peer", &session_key[..32], "session"), b"ratchet");
        assert_eq!(reader.open(0, b"progress", &data_key, "data"), [2, 1]);
        let start = [*lineage.incarnation.as_bytes(), [0; 16]].concat();
        assert_eq!(reader.open(0, b"start", &data_key, "data"), start);

        // The witness.
        let id: String = reader.store_id().iter().map(|byte| format!("{byte:02x}")).collect();
        let line = fs::read_to_string(witness.join(&id)).unwrap();
        assert_eq!(line, format!("meshwork-witness-1 {id} 2\n"));
    }
}
