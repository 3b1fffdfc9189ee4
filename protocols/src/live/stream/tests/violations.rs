//! What an honest peer never says, and what it may.

use super::*;

const CODE: StreamCode = StreamCode(300);

/// The stream that stands in these tests.
const OWN: StreamId = StreamId(1);

fn open() -> StreamFrame<'static> {
    StreamFrame::Open { credit: 1, name: name() }
}

fn window(taken: u64, credit: u32) -> StreamFrame<'static> {
    StreamFrame::Window { taken, credit }
}

/// A stream in which the peer was sent five bytes, and said that it took three.
fn pair() -> Pair {
    let (mut pair, id) = Pair::with_stream();
    assert_eq!(id, OWN);
    pair.there.write(id, b"12345").unwrap();
    pair.carry();
    let honest = window(3, FIRST_CREDIT - 3).encode(id);
    assert_eq!(pair.there.receive(honest), Ok(Received::Stirred(id)));
    pair
}

#[test]
fn what_an_honest_peer_never_says_ends_the_session() {
    let never = StreamId(9);
    for (number, frame, violation) in [
        (2, open(), StreamViolation::WrongParity),
        (0, open(), StreamViolation::WrongParity),
        (1, open(), StreamViolation::OutOfOrder),
        (5, open(), StreamViolation::OutOfOrder),
        (never.0, StreamFrame::Data(b"x"), StreamViolation::UnknownStream),
        (never.0, window(0, 1), StreamViolation::UnknownStream),
        (never.0, StreamFrame::Finish, StreamViolation::UnknownStream),
        (never.0, StreamFrame::Stop(CODE), StreamViolation::UnknownStream),
        (0, StreamFrame::Reset(CODE), StreamViolation::UnknownStream),
        (2, StreamFrame::Data(b"x"), StreamViolation::UnknownStream),
        (1, window(6, 1 << 20), StreamViolation::TookUnsent),
        (1, window(2, 1 << 20), StreamViolation::CreditWithdrawn),
        (1, window(3, FIRST_CREDIT - 4), StreamViolation::CreditWithdrawn),
        (1, StreamFrame::Done, StreamViolation::TookUnsent),
    ] {
        let received = pair().there.receive(frame.encode(StreamId(number)));
        assert_eq!(received, Err(violation), "{frame:?} for {number}");
    }
}

#[test]
fn nothing_comes_after_an_end() {
    for end in [StreamFrame::Finish, StreamFrame::Reset(CODE)] {
        for after in [StreamFrame::Data(b"x"), StreamFrame::Finish, StreamFrame::Reset(CODE)] {
            let mut pair = pair();
            assert!(pair.there.receive(end.encode(OWN)).is_ok());
            let received = pair.there.receive(after.encode(OWN));
            assert_eq!(received, Err(StreamViolation::AfterEnd), "{after:?} after {end:?}");
        }
    }
}

#[test]
fn nothing_but_what_crossed_comes_for_a_stream_that_is_gone() {
    let gone = || {
        let mut pair = pair();
        pair.here.release(OWN, CODE);
        pair.there.release(OWN, CODE);
        pair.carry();
        assert_eq!(pair.there.count(), 0);
        pair.there
    };
    for crossed in [window(5, 1), StreamFrame::Done, StreamFrame::Stop(CODE)] {
        assert_eq!(gone().receive(crossed.encode(OWN)), Ok(Received::Nothing), "{crossed:?}");
    }
    for after in [StreamFrame::Data(b"x"), StreamFrame::Finish, StreamFrame::Reset(CODE)] {
        let received = gone().receive(after.encode(OWN));
        assert_eq!(received, Err(StreamViolation::AfterEnd), "{after:?}");
    }
    assert_eq!(gone().receive(open().encode(OWN)), Err(StreamViolation::OutOfOrder));
}

#[test]
fn what_crosses_a_reset_or_a_stop_is_no_violation() {
    // Each end gives up while the other's frames are on their way.
    let says: [fn(&mut Multiplexer, StreamId); 5] = [
        |end, id| assert_eq!(end.write(id, &[7; 40_000]), Ok(40_000)),
        |end, id| end.finish(id).unwrap(),
        |end, id| end.reset(id, CODE),
        |end, id| end.stop(id, CODE),
        |end, id| end.release(id, CODE),
    ];
    for ours in says {
        for theirs in says {
            for before in [0, 1, 40_000] {
                let (mut pair, id) = Pair::with_stream();
                pair.here.write(id, &vec![1; before]).unwrap();
                pair.there.write(id, &vec![1; before]).unwrap();
                pair.carry();
                read_all(&mut pair.here, id);
                read_all(&mut pair.there, id);
                ours(&mut pair.here, id);
                theirs(&mut pair.there, id);
                // Both say all that they have to say before either hears the other.
                let here: Vec<_> = core::iter::from_fn(|| pair.here.next_frame()).collect();
                let there: Vec<_> = core::iter::from_fn(|| pair.there.next_frame()).collect();
                for (_, frame) in here {
                    pair.there.receive(frame).unwrap();
                }
                for (_, frame) in there {
                    pair.here.receive(frame).unwrap();
                }
                pair.carry();
            }
        }
    }
}

#[test]
fn a_refused_frame_changes_nothing() {
    let mut pair = pair();
    let before = (pair.there.progress(OWN), pair.there.kept(), pair.there.has_frame());
    for frame in [window(6, 9), StreamFrame::Done, open()] {
        assert!(pair.there.receive(frame.encode(OWN)).is_err());
    }
    assert_eq!((pair.there.progress(OWN), pair.there.kept(), pair.there.has_frame()), before);
}
