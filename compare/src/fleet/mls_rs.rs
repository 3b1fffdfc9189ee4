//! `mls-rs` with aws-lc, its own X-Wing, and its store in memory; without threads of its own.

use std::collections::VecDeque;

use mls_rs::client_builder::{BaseConfig, WithCryptoProvider, WithIdentityProvider, WithMlsRules};
use mls_rs::group::ExportedTree;
use mls_rs::identity::SigningIdentity;
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules};
use mls_rs::{
    CipherSuite, CipherSuiteProvider as _, Client, CryptoProvider as _, ExtensionList, Group,
    MlsMessage,
};
use mls_rs_crypto_awslc::AwsLcCryptoProvider;

use super::{ADDED, PAYLOAD, Side};
use crate::Failure;

const SUITE: CipherSuite = CipherSuite::ML_KEM_768_X25519;

type Config = WithMlsRules<
    DefaultMlsRules,
    WithCryptoProvider<
        AwsLcCryptoProvider,
        WithIdentityProvider<BasicIdentityProvider, BaseConfig>,
    >,
>;

pub struct MlsRs {
    updater: Group<Config>,
    follower: Group<Config>,
    store: Client<Config>,
    commits: VecDeque<Vec<u8>>,
    founder: Group<Config>,
    packages: Vec<MlsMessage>,
    invited: Invited,
}

/// What it takes to join.
struct Invited {
    client: Client<Config>,
    welcome: Vec<u8>,
    tree: Vec<u8>,
}

impl Side for MlsRs {
    fn build(size: usize) -> Result<Self, Failure> {
        let (updater, mut follower, store) = full(size)?;
        follower.write_to_storage()?;
        let mut founder = found(0, false)?;
        let clients =
            (1..size).map(|number| client(number, false)).collect::<Result<Vec<_>, _>>()?;
        let packages = clients.iter().map(package).collect::<Result<Vec<_>, _>>()?;
        let welcome = add(&mut founder, &packages)?.1;
        founder.apply_pending_commit()?;
        let tree = founder.export_tree().to_bytes()?;
        let client = clients.into_iter().next_back().ok_or("nobody was added")?;
        let invited = Invited { client, welcome, tree };
        let founder = found(0, false)?;
        let commits = VecDeque::new();
        Ok(Self { updater, follower, store, commits, founder, packages, invited })
    }

    fn update(&mut self) -> Result<(), Failure> {
        let output = self.updater.commit(Vec::new())?;
        self.updater.apply_pending_commit()?;
        self.updater.write_to_storage()?;
        self.commits.push_back(output.commit_message.to_bytes()?);
        Ok(())
    }

    fn follow(&mut self) -> Result<(), Failure> {
        let commit = self.commits.pop_front().ok_or("no commit is left")?;
        self.follower.process_incoming_message(MlsMessage::from_bytes(&commit)?)?;
        Ok(self.follower.write_to_storage()?)
    }

    fn mass_add(&mut self) -> Result<(), Failure> {
        add(&mut self.founder, &self.packages)?;
        self.founder.clear_pending_commit();
        Ok(())
    }

    fn join(&mut self) -> Result<(), Failure> {
        let Invited { client, welcome, tree } = &self.invited;
        let welcome = MlsMessage::from_bytes(welcome)?;
        client.join_group(Some(ExportedTree::from_bytes(tree)?), &welcome, None)?;
        Ok(())
    }

    fn load(&mut self) -> Result<(), Failure> {
        self.store.load_group(self.follower.group_id())?;
        Ok(())
    }

    fn seal(&mut self) -> Result<(), Failure> {
        self.updater.encrypt_application_message(&PAYLOAD, Vec::new())?.to_bytes()?;
        Ok(())
    }
}

/// The last two members of a full group that committed, or are about to, and the last one's client.
fn full(size: usize) -> Result<(Group<Config>, Group<Config>, Client<Config>), Failure> {
    let mut last = found(0, true)?;
    let mut before = None;
    for first in (1..size).step_by(ADDED) {
        let next = client(first, true)?;
        let mut packages = vec![package(&next)?];
        for number in first + 1..size.min(first + ADDED) {
            packages.push(package(&client(number, true)?)?);
        }
        let welcome = add(&mut last, &packages)?.1;
        last.apply_pending_commit()?;
        let tree = last.export_tree().to_bytes()?;
        let welcome = MlsMessage::from_bytes(&welcome)?;
        let tree = ExportedTree::from_bytes(&tree)?;
        let (group, _) = next.join_group(Some(tree), &welcome, None)?;
        before = Some((std::mem::replace(&mut last, group), next));
    }
    let (before, client) = before.ok_or("a group of one")?;
    Ok((before, last, client))
}

/// Adds all in one commit: its bytes, and those of the Welcome for all.
fn add(group: &mut Group<Config>, packages: &[MlsMessage]) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let mut builder = group.commit_builder();
    for package in packages {
        builder = builder.add_member(package.clone())?;
    }
    let output = builder.build()?;
    let welcome = output.welcome_messages.first().ok_or("no Welcome")?;
    Ok((output.commit_message.to_bytes()?, welcome.to_bytes()?))
}

fn package(client: &Client<Config>) -> Result<MlsMessage, Failure> {
    let none = ExtensionList::default;
    Ok(client.generate_key_package_message(none(), none(), None)?)
}

fn found(number: usize, path: bool) -> Result<Group<Config>, Failure> {
    let none = ExtensionList::default;
    Ok(client(number, path)?.create_group(none(), none(), None)?)
}

fn client(number: usize, path: bool) -> Result<Client<Config>, Failure> {
    let provider = AwsLcCryptoProvider::new();
    let suite = provider.cipher_suite_provider(SUITE).ok_or("a suite that it does not have")?;
    let (secret, public) = suite.signature_key_generate()?;
    let mut identity = vec![0; 65];
    identity[..8].copy_from_slice(&number.to_be_bytes());
    let credential = BasicCredential::new(identity).into_credential();
    let options = CommitOptions::new()
        .with_path_required(path)
        .with_ratchet_tree_extension(false)
        .with_single_welcome_message(true);
    Ok(Client::builder()
        .identity_provider(BasicIdentityProvider)
        .crypto_provider(provider)
        .mls_rules(DefaultMlsRules::new().with_commit_options(options))
        .signing_identity(SigningIdentity::new(credential, public), secret, SUITE)
        .build())
}
