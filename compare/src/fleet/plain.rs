//! openmls as it comes: its RustCrypto provider, its store in memory, a clock.

use std::collections::{HashMap, VecDeque};

use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    BasicCredential, Capabilities, Ciphersuite, CredentialWithKey, GroupId, KeyPackage,
    LeafNodeParameters, MlsGroup, MlsGroupCreateConfig, MlsGroupJoinConfig, MlsMessageBodyIn,
    MlsMessageIn, ProcessedMessageContent, RatchetTreeIn, StagedWelcome,
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::OpenMlsProvider as _;

use super::{ADDED, PAYLOAD, Side};
use crate::Failure;

const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519;

pub struct Plain {
    updater: Member,
    follower: Member,
    commits: VecDeque<Vec<u8>>,
    founder: Member,
    packages: Vec<KeyPackage>,
    invited: Invited,
}

struct Member {
    provider: OpenMlsRustCrypto,
    signer: SignatureKeyPair,
    group: MlsGroup,
}

/// Somebody before it joins.
struct Outsider {
    provider: OpenMlsRustCrypto,
    signer: SignatureKeyPair,
    credential: CredentialWithKey,
}

/// What it takes to join, and what the store held before.
struct Invited {
    provider: OpenMlsRustCrypto,
    stored: HashMap<Vec<u8>, Vec<u8>>,
    welcome: Vec<u8>,
    tree: Vec<u8>,
}

impl Side for Plain {
    fn build(size: usize) -> Result<Self, Failure> {
        let (updater, follower) = full(size)?;
        let mut founder = Outsider::new(0)?.found()?;
        let others = (1..size).map(Outsider::new).collect::<Result<Vec<_>, _>>()?;
        let packages = others.iter().map(Outsider::package).collect::<Result<Vec<_>, _>>()?;
        let Member { provider, signer, group } = &mut founder;
        let (_, welcome, _) = group.add_members_without_update(provider, signer, &packages)?;
        group.merge_pending_commit(provider)?;
        let tree = founder.tree()?;
        let last = others.into_iter().next_back().ok_or("nobody was added")?.provider;
        let stored = values(&last)?;
        let invited = Invited { provider: last, stored, welcome: welcome.to_bytes()?, tree };
        let founder = Outsider::new(0)?.found()?;
        Ok(Self { updater, follower, commits: VecDeque::new(), founder, packages, invited })
    }

    fn update(&mut self) -> Result<(), Failure> {
        let Member { provider, signer, group } = &mut self.updater;
        let bundle = group.self_update(provider, signer, LeafNodeParameters::default())?;
        let commit = bundle.into_commit().to_bytes()?;
        group.merge_pending_commit(provider)?;
        self.commits.push_back(commit);
        Ok(())
    }

    fn follow(&mut self) -> Result<(), Failure> {
        let commit = self.commits.pop_front().ok_or("no commit is left")?;
        let Member { provider, group, .. } = &mut self.follower;
        let message = MlsMessageIn::tls_deserialize_exact(commit)?.try_into_protocol_message()?;
        let processed = group.process_message(provider, message)?;
        let ProcessedMessageContent::StagedCommitMessage(staged) = processed.into_content() else {
            return Err("no commit".into());
        };
        Ok(group.merge_staged_commit(provider, *staged)?)
    }

    fn mass_add(&mut self) -> Result<(), Failure> {
        let Member { provider, signer, group } = &mut self.founder;
        let added = group.add_members_without_update(provider, signer, &self.packages)?;
        drop((added.0.to_bytes()?, added.1.to_bytes()?));
        Ok(group.clear_pending_commit(provider.storage())?)
    }

    fn join(&mut self) -> Result<(), Failure> {
        let Invited { provider, stored, welcome, tree } = &self.invited;
        *provider.storage().values.write().map_err(|_| "a lock was poisoned")? = stored.clone();
        join(provider, welcome, tree).map(drop)
    }

    fn load(&mut self) -> Result<(), Failure> {
        let id = self.follower.group.group_id();
        MlsGroup::load(self.follower.provider.storage(), id)?.ok_or("the group is gone")?;
        Ok(())
    }

    fn seal(&mut self) -> Result<(), Failure> {
        let Member { provider, signer, group } = &mut self.updater;
        group.create_message(provider, signer, &PAYLOAD)?.to_bytes()?;
        Ok(())
    }
}

/// The last two members of a full group that committed, or are about to.
fn full(size: usize) -> Result<(Member, Member), Failure> {
    let mut last = Outsider::new(0)?.found()?;
    let mut before = None;
    for first in (1..size).step_by(ADDED) {
        let next = Outsider::new(first)?;
        let mut packages = vec![next.package()?];
        for number in first + 1..size.min(first + ADDED) {
            packages.push(Outsider::new(number)?.package()?);
        }
        let Member { provider, signer, group } = &mut last;
        let (_, welcome, _) = group.add_members(provider, signer, &packages)?;
        group.merge_pending_commit(provider)?;
        let group = join(&next.provider, &welcome.to_bytes()?, &last.tree()?)?;
        let member = Member { provider: next.provider, signer: next.signer, group };
        before = Some(std::mem::replace(&mut last, member));
    }
    Ok((before.ok_or("a group of one")?, last))
}

fn join(provider: &OpenMlsRustCrypto, welcome: &[u8], tree: &[u8]) -> Result<MlsGroup, Failure> {
    let message = MlsMessageIn::tls_deserialize_exact(welcome)?;
    let MlsMessageBodyIn::Welcome(welcome) = message.extract() else {
        return Err("no Welcome".into());
    };
    let tree = RatchetTreeIn::tls_deserialize_exact(tree)?;
    let staged = StagedWelcome::new_from_welcome(provider, &config(), welcome, Some(tree))?;
    Ok(staged.into_group(provider)?)
}

fn config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder().max_past_epochs(0).use_ratchet_tree_extension(false).build()
}

fn capabilities() -> Capabilities {
    Capabilities::builder().ciphersuites(vec![SUITE]).build()
}

fn values(provider: &OpenMlsRustCrypto) -> Result<HashMap<Vec<u8>, Vec<u8>>, Failure> {
    Ok(provider.storage().values.read().map_err(|_| "a lock was poisoned")?.clone())
}

impl Outsider {
    fn new(number: usize) -> Result<Self, Failure> {
        let signer = SignatureKeyPair::new(SUITE.signature_algorithm())?;
        // As long as ours.
        let mut identity = vec![0; 65];
        identity[..8].copy_from_slice(&number.to_be_bytes());
        let credential = CredentialWithKey {
            credential: BasicCredential::new(identity).into(),
            signature_key: signer.to_public_vec().into(),
        };
        Ok(Self { provider: OpenMlsRustCrypto::default(), signer, credential })
    }

    fn package(&self) -> Result<KeyPackage, Failure> {
        let bundle = KeyPackage::builder().leaf_node_capabilities(capabilities()).build(
            SUITE,
            &self.provider,
            &self.signer,
            self.credential.clone(),
        )?;
        Ok(bundle.into_key_package())
    }

    fn found(self) -> Result<Member, Failure> {
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(SUITE)
            .capabilities(capabilities())
            .max_past_epochs(0)
            .use_ratchet_tree_extension(false)
            .build();
        let Self { provider, signer, credential } = self;
        let id = GroupId::from_slice(&[7; 32]);
        let group = MlsGroup::new_with_group_id(&provider, &signer, &config, id, credential)?;
        Ok(Member { provider, signer, group })
    }
}

impl Member {
    fn tree(&self) -> Result<Vec<u8>, Failure> {
        Ok(self.group.export_ratchet_tree().tls_serialize_detached()?)
    }
}
