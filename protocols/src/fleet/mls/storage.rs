//! The storage that openmls asks for, which comes down to six operations on an [`Overlay`].

use alloc::vec::Vec;

use openmls_traits::storage::{CURRENT_VERSION, StorageProvider, traits};

use super::overlay::{Label, Overlay};
use crate::fleet::rows::StoreError;

const V: u16 = CURRENT_VERSION;

macro_rules! writes {
    ($($name:ident<$key:ident, $value:ident> => $label:ident;)*) => {$(
        fn $name<K: traits::$key<V>, E: traits::$value<V>>(
            &self,
            key: &K,
            value: &E,
        ) -> Result<(), StoreError> {
            self.put(Label::$label, key, value)
        }
    )*};
}

macro_rules! reads {
    ($($name:ident<$key:ident, $value:ident> => $label:ident;)*) => {$(
        fn $name<K: traits::$key<V>, E: traits::$value<V>>(
            &self,
            key: &K,
        ) -> Result<Option<E>, StoreError> {
            self.get(Label::$label, key)
        }
    )*};
}

/// As `reads`, for the methods whose type parameters stand the other way round.
macro_rules! reads_turned {
    ($($name:ident<$value:ident, $key:ident> => $label:ident;)*) => {$(
        fn $name<E: traits::$value<V>, K: traits::$key<V>>(
            &self,
            key: &K,
        ) -> Result<Option<E>, StoreError> {
            self.get(Label::$label, key)
        }
    )*};
}

macro_rules! deletes {
    ($($name:ident<$key:ident> => $label:ident;)*) => {$(
        fn $name<K: traits::$key<V>>(&self, key: &K) -> Result<(), StoreError> {
            self.delete(Label::$label, key)
        }
    )*};
}

impl StorageProvider<V> for Overlay<'_> {
    type Error = StoreError;

    writes! {
        write_mls_join_config<GroupId, MlsGroupJoinConfig> => JoinConfig;
        write_tree<GroupId, TreeSync> => Tree;
        write_interim_transcript_hash<GroupId, InterimTranscriptHash> => TranscriptHash;
        write_context<GroupId, GroupContext> => Context;
        write_confirmation_tag<GroupId, ConfirmationTag> => ConfirmationTag;
        write_message_secrets<GroupId, MessageSecrets> => MessageSecrets;
        write_resumption_psk_store<GroupId, ResumptionPskStore> => ResumptionPsks;
        write_own_leaf_index<GroupId, LeafNodeIndex> => OwnLeafIndex;
        write_group_epoch_secrets<GroupId, GroupEpochSecrets> => EpochSecrets;
        write_signature_key_pair<SignaturePublicKey, SignatureKeyPair> => SignatureKeyPair;
        write_encryption_key_pair<EncryptionKey, HpkeKeyPair> => EncryptionKeyPair;
        write_key_package<HashReference, KeyPackage> => KeyPackage;
        write_psk<PskId, PskBundle> => Psk;
    }

    fn write_group_state<E: traits::GroupState<V>, K: traits::GroupId<V>>(
        &self,
        key: &K,
        value: &E,
    ) -> Result<(), StoreError> {
        self.put(Label::GroupState, key, value)
    }

    reads! {
        mls_group_join_config<GroupId, MlsGroupJoinConfig> => JoinConfig;
        tree<GroupId, TreeSync> => Tree;
        group_context<GroupId, GroupContext> => Context;
        interim_transcript_hash<GroupId, InterimTranscriptHash> => TranscriptHash;
        confirmation_tag<GroupId, ConfirmationTag> => ConfirmationTag;
        message_secrets<GroupId, MessageSecrets> => MessageSecrets;
        resumption_psk_store<GroupId, ResumptionPskStore> => ResumptionPsks;
        own_leaf_index<GroupId, LeafNodeIndex> => OwnLeafIndex;
        group_epoch_secrets<GroupId, GroupEpochSecrets> => EpochSecrets;
        signature_key_pair<SignaturePublicKey, SignatureKeyPair> => SignatureKeyPair;
        key_package<HashReference, KeyPackage> => KeyPackage;
    }

    reads_turned! {
        group_state<GroupState, GroupId> => GroupState;
        encryption_key_pair<HpkeKeyPair, EncryptionKey> => EncryptionKeyPair;
        psk<PskBundle, PskId> => Psk;
    }

    deletes! {
        delete_own_leaf_nodes<GroupId> => OwnLeafNodes;
        delete_group_config<GroupId> => JoinConfig;
        delete_tree<GroupId> => Tree;
        delete_confirmation_tag<GroupId> => ConfirmationTag;
        delete_group_state<GroupId> => GroupState;
        delete_context<GroupId> => Context;
        delete_interim_transcript_hash<GroupId> => TranscriptHash;
        delete_message_secrets<GroupId> => MessageSecrets;
        delete_all_resumption_psk_secrets<GroupId> => ResumptionPsks;
        delete_own_leaf_index<GroupId> => OwnLeafIndex;
        delete_group_epoch_secrets<GroupId> => EpochSecrets;
        delete_signature_key_pair<SignaturePublicKey> => SignatureKeyPair;
        delete_encryption_key_pair<EncryptionKey> => EncryptionKeyPair;
        delete_key_package<HashReference> => KeyPackage;
        delete_psk<PskId> => Psk;
    }

    fn append_own_leaf_node<K: traits::GroupId<V>, E: traits::LeafNode<V>>(
        &self,
        group: &K,
        leaf: &E,
    ) -> Result<(), StoreError> {
        self.append(Label::OwnLeafNodes, group, leaf)
    }

    fn own_leaf_nodes<K: traits::GroupId<V>, E: traits::LeafNode<V>>(
        &self,
        group: &K,
    ) -> Result<Vec<E>, StoreError> {
        self.list(Label::OwnLeafNodes, group)
    }

    fn write_encryption_epoch_key_pairs<
        K: traits::GroupId<V>,
        N: traits::EpochKey<V>,
        E: traits::HpkeKeyPair<V>,
    >(
        &self,
        group: &K,
        epoch: &N,
        leaf: u32,
        pairs: &[E],
    ) -> Result<(), StoreError> {
        self.put(Label::EpochKeyPairs, &(group, epoch, leaf), pairs)
    }

    fn encryption_epoch_key_pairs<
        K: traits::GroupId<V>,
        N: traits::EpochKey<V>,
        E: traits::HpkeKeyPair<V>,
    >(
        &self,
        group: &K,
        epoch: &N,
        leaf: u32,
    ) -> Result<Vec<E>, StoreError> {
        Ok(self.get(Label::EpochKeyPairs, &(group, epoch, leaf))?.unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<K: traits::GroupId<V>, N: traits::EpochKey<V>>(
        &self,
        group: &K,
        epoch: &N,
        leaf: u32,
    ) -> Result<(), StoreError> {
        self.delete(Label::EpochKeyPairs, &(group, epoch, leaf))
    }

    fn queue_proposal<
        K: traits::GroupId<V>,
        R: traits::ProposalRef<V>,
        E: traits::QueuedProposal<V>,
    >(
        &self,
        group: &K,
        reference: &R,
        proposal: &E,
    ) -> Result<(), StoreError> {
        self.put(Label::Proposal, &(group, reference), proposal)?;
        self.append(Label::ProposalRefs, group, reference)
    }

    fn queued_proposal_refs<K: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        group: &K,
    ) -> Result<Vec<R>, StoreError> {
        self.list(Label::ProposalRefs, group)
    }

    fn queued_proposals<
        K: traits::GroupId<V>,
        R: traits::ProposalRef<V>,
        E: traits::QueuedProposal<V>,
    >(
        &self,
        group: &K,
    ) -> Result<Vec<(R, E)>, StoreError> {
        let references: Vec<R> = self.list(Label::ProposalRefs, group)?;
        references
            .into_iter()
            .map(|reference| {
                let proposal = self.get(Label::Proposal, &(group, &reference))?;
                Ok((reference, proposal.ok_or(StoreError::Damaged)?))
            })
            .collect()
    }

    fn remove_proposal<K: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        group: &K,
        reference: &R,
    ) -> Result<(), StoreError> {
        self.delete(Label::Proposal, &(group, reference))?;
        self.remove(Label::ProposalRefs, group, reference)
    }

    /// The proposals too, and not their references alone.
    fn clear_proposal_queue<K: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        group: &K,
    ) -> Result<(), StoreError> {
        for reference in self.list::<K, R>(Label::ProposalRefs, group)? {
            self.delete(Label::Proposal, &(group, &reference))?;
        }
        self.delete(Label::ProposalRefs, group)
    }
}
