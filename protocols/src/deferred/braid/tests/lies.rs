use super::talk::{Packet, Talk, peer};
use crate::deferred::braid::record::number;
use crate::deferred::braid::{BraidError, BraidMessage, Chunk, Payload, Role};

/// The packet with its chunk changed by somebody in between.
fn forged(packet: &Packet) -> Option<Packet> {
    let mut message = packet.message();
    match &mut message.payload {
        Payload::None | Payload::Ct1Ack => return None,
        Payload::Hdr(chunk)
        | Payload::Ek(chunk)
        | Payload::EkCt1Ack(chunk)
        | Payload::Ct1(chunk)
        | Payload::Ct2(chunk) => chunk.data[7] ^= 1,
    }
    Some(Packet { field: message.encode(), ..packet.clone() })
}

#[test]
fn what_does_not_open_changes_nothing_and_the_epochs_go_on() {
    let mut talk = Talk::new(40);
    let mut completed = 0;
    for _ in 0..200 {
        for from in [Role::Initiator, Role::Responder] {
            let packet = talk.send(from);
            let to = peer(from);
            // The receiver computes a candidate from the forgery, finds that the message does not
            // open, and drops it.
            let before = talk.end(to).encode();
            if let Some(forged) = forged(&packet) {
                drop(talk.end(to).receive(Talk::provider(to), &forged.field));
            }
            assert!(talk.end(to).encode() == before);
            talk.deliver(&packet).unwrap();
        }
        completed = talk.initiator.epoch().min(talk.responder.epoch());
    }
    assert!(completed >= 4);
}

#[test]
fn a_peer_who_lies_in_any_transfer_is_found_out_and_the_state_stays() {
    for (lie, expected) in [
        (Lie::Hdr, BraidError::NotAuthentic),
        (Lie::Ek, BraidError::BadKey),
        (Lie::Ct1, BraidError::NotAuthentic),
        (Lie::Ct2, BraidError::NotAuthentic),
    ] {
        let mut talk = Talk::new(41);
        let error = talk_with_a_lie(&mut talk, lie);
        assert_eq!(error, expected, "{lie:?}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    Hdr,
    Ek,
    Ct1,
    Ct2,
}

/// Ping-pong in which the first chunk of one transfer is a lie that its receiver adopts. The error
/// that comes of it; the receiver then is as it was before.
fn talk_with_a_lie(talk: &mut Talk, lie: Lie) -> BraidError {
    let mut lied = false;
    for _ in 0..200 {
        for from in [Role::Initiator, Role::Responder] {
            let mut packet = talk.send(from);
            let is_it = match packet.message().payload {
                Payload::Hdr(_) => lie == Lie::Hdr,
                Payload::Ek(_) | Payload::EkCt1Ack(_) => lie == Lie::Ek,
                Payload::Ct1(_) => lie == Lie::Ct1,
                Payload::Ct2(_) => lie == Lie::Ct2,
                Payload::None | Payload::Ct1Ack => false,
            };
            if is_it && !lied {
                packet = forged(&packet).unwrap();
                lied = true;
            }
            let before = talk.end(peer(from)).encode();
            if let Err(error) = talk.deliver(&packet) {
                assert!(talk.end(peer(from)).encode() == before);
                assert_eq!(talk.deliver(&packet), Err(error));
                return error;
            }
        }
    }
    panic!("nobody noticed");
}

#[test]
fn each_truncation_and_each_flipped_bit_is_refused_or_leads_to_another_key_or_changes_a_chunk() {
    let mut talk = Talk::new(42);
    for round in 0..180 {
        for from in [Role::Initiator, Role::Responder] {
            let packet = talk.send(from);
            // Every state, and not every message of it.
            if round % 9 == 0 {
                every_change(&mut talk, &packet);
            }
            talk.deliver(&packet).unwrap();
        }
    }
}

fn every_change(talk: &mut Talk, packet: &Packet) {
    let to = peer(packet.from);
    let (braid, provider) = (talk.end(to).clone(), Talk::provider(to));
    for length in 0..packet.field.len() {
        assert!(braid.receive(provider, &packet.field[..length]).is_err());
    }
    for bit in 0..packet.field.len() * 8 {
        let mut changed = packet.field.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        // The MAC of the whole message is what tells a changed chunk; a changed place in the chain
        // must not even lead to the key.
        if let Ok((_, key)) = braid.receive(provider, &changed) {
            let (was, is) = (packet.message(), BraidMessage::decode(&changed).unwrap());
            let same_place = (was.epoch, was.index) == (is.epoch, is.index);
            assert_eq!(key == packet.key, same_place, "bit {bit}");
        }
    }
}

#[test]
fn a_message_of_an_epoch_that_has_not_begun_is_refused_in_every_state_but_the_last() {
    let mut talk = Talk::new(43);
    for _ in 0..180 {
        for from in [Role::Initiator, Role::Responder] {
            let packet = talk.send(from);
            let to = peer(from);
            let own = talk.end(to).agreement.epoch;
            for ahead in 1..4 {
                let epoch = own + ahead;
                let field = BraidMessage { epoch, index: 1, payload: Payload::None }.encode();
                let result = talk.end(to).receive(Talk::provider(to), &field).map(drop);
                let last = number(&talk.end(to).agreement.phase) == 11;
                if last && ahead == 1 {
                    assert_eq!(result, Ok(()));
                } else {
                    assert_eq!(result, Err(BraidError::EpochAhead));
                }
            }
            talk.deliver(&packet).unwrap();
        }
    }
}

#[test]
fn what_a_state_does_not_list_it_ignores() {
    let mut talk = Talk::new(44);
    let chunk = Chunk { index: 60_000, data: [1; 32] };
    let payloads = [
        Payload::None,
        Payload::Hdr(chunk),
        Payload::Ek(chunk),
        Payload::EkCt1Ack(chunk),
        Payload::Ct1Ack,
        Payload::Ct1(chunk),
        Payload::Ct2(chunk),
    ];
    let listed: [&[usize]; 11] =
        [&[], &[5], &[5], &[6], &[6], &[1], &[], &[2, 3], &[3, 4], &[2, 3], &[]];
    for _ in 0..180 {
        for from in [Role::Initiator, Role::Responder] {
            let braid = talk.end(from).clone();
            let state = number(&braid.agreement.phase);
            for (place, payload) in payloads.iter().enumerate() {
                let mut agreement = braid.agreement.clone();
                let epoch = agreement.epoch;
                // A lie may be found out at once, where its chunk is the last.
                let heard = agreement.receive(Talk::provider(from), epoch, payload);
                let mut after = braid.clone();
                after.agreement = agreement;
                let ignored = heard.is_ok() && after.encode() == braid.encode();
                let listed = listed[usize::from(state) - 1].contains(&place);
                assert_eq!(ignored, !listed, "state {state}, {payload:?}");
                // The epoch before is over, whatever comes of it.
                let mut agreement = braid.agreement.clone();
                agreement.receive(Talk::provider(from), epoch - 1, payload).unwrap();
                after.agreement = agreement;
                assert!(after.encode() == braid.encode());
            }
            let packet = talk.send(from);
            talk.deliver(&packet).unwrap();
        }
    }
}
