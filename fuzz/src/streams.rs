//! The streams of a session, whose peer says what it likes, and files over them.

use meshwork::files::Header;
use meshwork_protocols::identity::ServiceName;
use meshwork_protocols::live::Role;
use meshwork_protocols::live::stream::{
    Multiplexer, Readable, Received, StreamCode, StreamFrame, StreamId,
};

/// A peer that keeps no rule against an end that reads, writes and lets go. `data` is a list of
/// steps: one below `OWN_STEPS` is ours; else it is the length of a frame of the peer's. What
/// decodes is written as it was read, and what we say decodes.
pub fn streams(data: &[u8]) {
    let mut end = Multiplexer::new(Role::Responder);
    let (mut held, mut rest): (Vec<StreamId>, _) = (Vec::new(), data);
    while let Some((step, behind)) = rest.split_first() {
        rest = behind;
        if *step < OWN_STEPS {
            act(&mut end, &mut held, *step);
            continue;
        }
        let (frame, behind) = rest.split_at(usize::from(*step - OWN_STEPS).min(rest.len()));
        rest = behind;
        if let Ok((id, decoded)) = StreamFrame::decode(frame) {
            assert_eq!(decoded.encode(id), frame, "a second encoding");
        }
        match end.receive(frame.to_vec()) {
            Ok(Received::Opened { id, .. }) => held.push(id),
            Ok(_) => {}
            Err(_) => break,
        }
        let kept: u64 =
            held.iter().map(|id| end.progress(*id)).map(|at| at.received - at.read).sum();
        assert!(kept <= data.len() as u64, "more was kept than came");
    }
    end.end();
    assert!(end.next_frame().is_none(), "a frame after the end");
}

/// A header of a file that was read is written as it was, and its name leads nowhere.
pub fn file_header(data: &[u8]) {
    let Ok(Some(header)) = Header::decode(data) else { return };
    assert!(data.starts_with(&header.encode()), "a second encoding");
    let name = std::path::Path::new(header.name.as_str());
    assert_eq!(name.file_name(), Some(name.as_os_str()), "a name that leads elsewhere");
}

fn act(end: &mut Multiplexer, held: &mut Vec<StreamId>, step: u8) {
    let newest = held.last().copied();
    match (step, newest) {
        (0, _) => held.extend(end.open(name())),
        (1, Some(id)) => end.accept(id),
        (2, Some(id)) => drop(end.write(id, &[7; 40_000])),
        (3, Some(id)) => {
            let length = match end.readable(id) {
                Ok(Readable::Bytes(bytes)) => bytes.len(),
                _ => 0,
            };
            end.consume(id, length);
        }
        (4, Some(id)) => end.finish(id).unwrap_or_default(),
        (5, Some(id)) => end.reset(id, StreamCode::DROPPED),
        (6, Some(id)) => end.stop(id, StreamCode::DROPPED),
        (7, Some(id)) => {
            held.pop();
            end.release(id, StreamCode::DROPPED);
        }
        (8, Some(_)) => held.rotate_left(1),
        _ => {
            while let Some((id, frame)) = end.next_frame() {
                assert_eq!(StreamFrame::decode(&frame).map(|(id, _)| id), Ok(id));
            }
        }
    }
}

/// What a peer says in the life of two streams, with what we do in between.
pub(crate) fn conversation() -> Vec<u8> {
    let mut peer = Multiplexer::new(Role::Initiator);
    let mut steps = Vec::new();
    let mut say = |peer: &mut Multiplexer, ours: &[u8]| {
        while let Some((_, frame)) = peer.next_frame() {
            steps.push(OWN_STEPS + u8::try_from(frame.len()).unwrap());
            steps.extend(frame);
        }
        steps.extend(ours);
    };
    let first = peer.open(name()).unwrap();
    say(&mut peer, &[1, 2, 9]);
    let second = peer.open(name()).unwrap();
    peer.write(first, b"some bytes").unwrap();
    peer.write(second, &[7; 100]).unwrap();
    say(&mut peer, &[3, 8, 3, 9, 0]);
    peer.finish(first).unwrap();
    peer.reset(second, StreamCode::FIRST_OF_APPLICATION);
    say(&mut peer, &[4, 8, 5, 6, 7, 9]);
    peer.stop(first, StreamCode::DROPPED);
    say(&mut peer, &[7, 7, 9]);
    steps
}

/// A header as a sender writes it.
pub(crate) fn header() -> Vec<u8> {
    Header { name: "report.pdf".parse().unwrap(), size: 123_456 }.encode()
}

fn name() -> ServiceName {
    "files".parse().unwrap()
}

/// Steps of ours.
const OWN_STEPS: u8 = 10;
