//! How streams end.

use super::*;

const CODE: StreamCode = StreamCode(300);

#[test]
fn either_direction_can_end_first_and_the_other_goes_on() {
    for here_first in [true, false] {
        let (mut pair, id) = Pair::with_stream();
        for here in [here_first, !here_first] {
            let Pair { here: own, there: other } = &mut pair;
            let end = if here { own } else { other };
            end.write(id, b"last").unwrap();
            end.finish(id).unwrap();
            assert_eq!(end.write(id, b"x"), Err(StreamError::Finished));
            pair.carry();
            let peer = if here { &mut pair.there } else { &mut pair.here };
            assert_eq!(read_all(peer, id), b"last");
            assert_eq!(peer.readable(id), Ok(Readable::End));
            pair.carry();
        }
        assert_eq!((pair.here.is_done(id), pair.there.is_done(id)), (Ok(true), Ok(true)));
    }
}

#[test]
fn done_is_said_when_the_last_byte_was_taken_and_not_before() {
    let (mut pair, id) = Pair::with_stream();
    pair.here.write(id, b"ab").unwrap();
    pair.here.finish(id).unwrap();
    pair.carry();
    pair.there.consume(id, 1);
    pair.carry();
    assert_eq!(pair.here.is_done(id), Ok(false));
    pair.there.consume(id, 1);
    pair.carry();
    assert_eq!(pair.here.is_done(id), Ok(true));
    assert_eq!(pair.here.progress(id).acknowledged, 2);
}

#[test]
fn an_end_without_a_byte_is_an_end() {
    let (mut pair, id) = Pair::with_stream();
    pair.here.finish(id).unwrap();
    pair.carry();
    assert_eq!(pair.there.readable(id), Ok(Readable::End));
    assert_eq!(pair.here.is_done(id), Ok(true));
}

/// Everything that one end can have said before a reset.
const POINTS: [fn(&mut Pair, StreamId); 6] = [
    |_, _| {},
    |pair, id| assert_eq!(pair.here.write(id, b"waits"), Ok(5)),
    |pair, id| {
        pair.here.write(id, b"sent").unwrap();
        pair.carry();
    },
    |pair, id| {
        pair.here.write(id, &[7; MAX_UNSENT]).unwrap();
        pair.carry();
    },
    |pair, id| {
        pair.here.write(id, b"waits for the end").unwrap();
        pair.here.finish(id).unwrap();
    },
    |pair, id| {
        pair.there.finish(id).unwrap();
        pair.carry();
    },
];

#[test]
fn a_reset_at_any_point_is_told_as_one_and_never_as_an_end() {
    for (number, point) in POINTS.iter().enumerate() {
        let (mut pair, id) = Pair::with_stream();
        point(&mut pair, id);
        pair.here.reset(id, CODE);
        pair.carry();
        assert_eq!(pair.there.readable(id), Err(StreamError::Reset(CODE)), "point {number}");
        assert_eq!(pair.here.write(id, b"x"), Err(StreamError::Abandoned), "point {number}");
    }
}

#[test]
fn a_stop_at_any_point_ends_the_writer_with_its_code() {
    for (number, point) in POINTS.iter().enumerate() {
        let (mut pair, id) = Pair::with_stream();
        point(&mut pair, id);
        pair.there.stop(id, CODE);
        pair.carry();
        assert_eq!(pair.here.write(id, b"x"), Err(StreamError::Stopped(CODE)), "point {number}");
        assert_eq!(pair.here.is_done(id), Err(StreamError::Stopped(CODE)), "point {number}");
        assert!(pair.there.readable(id).is_err(), "point {number}");
    }
}

#[test]
fn letting_go_at_any_point_leaves_nothing_at_either_end() {
    for point in POINTS {
        for here_first in [true, false] {
            let (mut pair, id) = Pair::with_stream();
            point(&mut pair, id);
            let Pair { here, there } = &mut pair;
            let (first, second) = if here_first { (here, there) } else { (there, here) };
            first.release(id, CODE);
            second.release(id, CODE);
            pair.carry();
            assert_eq!((pair.here.count(), pair.there.count()), (0, 0));
            assert_eq!((pair.here.drawn(), pair.there.drawn()), ((0, 0), (0, 0)));
        }
    }
}

#[test]
fn who_lets_go_of_a_finished_stream_has_still_sent_it() {
    let (mut pair, id) = Pair::with_stream();
    pair.here.write(id, &[7; MAX_UNSENT]).unwrap();
    pair.here.finish(id).unwrap();
    pair.here.release(id, CODE);
    pair.carry();
    let mut read = 0;
    while pair.there.readable(id) != Ok(Readable::End) {
        read += read_all(&mut pair.there, id).len();
        pair.carry();
    }
    assert_eq!(read, MAX_UNSENT);
    pair.there.release(id, CODE);
    pair.carry();
    assert_eq!((pair.here.count(), pair.there.count()), (0, 0));
}

#[test]
fn a_reset_comes_too_late_once_the_end_was_sent() {
    let (mut pair, id) = Pair::with_stream();
    pair.here.write(id, b"all of it").unwrap();
    pair.here.finish(id).unwrap();
    pair.carry();
    pair.here.reset(id, CODE);
    pair.carry();
    assert_eq!(read_all(&mut pair.there, id), b"all of it");
    assert_eq!(pair.there.readable(id), Ok(Readable::End));
}

#[test]
fn a_stream_that_is_refused_tells_its_opener_why() {
    let mut pair = Pair::new();
    let id = pair.here.open(name()).unwrap();
    pair.carry();
    pair.there.release(id, StreamCode::NAME_UNKNOWN);
    pair.carry();
    assert_eq!(pair.here.readable(id), Err(StreamError::Reset(StreamCode::NAME_UNKNOWN)));
    assert_eq!(pair.here.write(id, b"x"), Err(StreamError::Stopped(StreamCode::NAME_UNKNOWN)));
    assert_eq!(pair.there.count(), 0);
}

#[test]
fn the_end_of_a_session_is_an_error_behind_what_came_and_never_an_end() {
    let (mut pair, id) = Pair::with_stream();
    pair.here.write(id, b"half").unwrap();
    pair.carry();
    pair.there.end();
    assert_eq!(pair.there.readable(id), Ok(Readable::Bytes(b"half")));
    assert_eq!(read_all(&mut pair.there, id), b"half");
    assert_eq!(pair.there.readable(id), Err(StreamError::SessionOver));
    assert_eq!(pair.there.write(id, b"x"), Err(StreamError::SessionOver));
    assert_eq!(pair.there.finish(id), Err(StreamError::SessionOver));
    assert_eq!(pair.there.open(name()), Err(OpenError::SessionOver));
    assert!(!pair.there.has_frame());
}

#[test]
fn what_was_whole_before_the_session_ended_stays_whole() {
    let (mut pair, id) = Pair::with_stream();
    pair.here.write(id, b"whole").unwrap();
    pair.here.finish(id).unwrap();
    pair.carry();
    pair.there.end();
    assert_eq!(read_all(&mut pair.there, id), b"whole");
    assert_eq!(pair.there.readable(id), Ok(Readable::End));
    // The writer never heard that it was taken.
    pair.here.end();
    assert_eq!(pair.here.is_done(id), Err(StreamError::SessionOver));
    assert_eq!(pair.here.progress(id).acknowledged, 0);
}

#[test]
fn a_session_that_ended_keeps_nothing_for_who_let_go() {
    let (mut pair, id) = Pair::with_stream();
    pair.here.end();
    pair.here.release(id, StreamCode::DROPPED);
    assert_eq!(pair.here.count(), 0);
}
