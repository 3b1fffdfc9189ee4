//! Each bound, at it and one past it.

use super::*;

#[test]
fn a_writer_is_held_at_what_may_wait() {
    let (mut pair, id) = Pair::with_stream();
    assert_eq!(pair.here.write(id, &vec![7; MAX_UNSENT - 1]), Ok(MAX_UNSENT - 1));
    assert_eq!(pair.here.write(id, &[7; 2]), Ok(1));
    assert_eq!(pair.here.write(id, &[7]), Ok(0));
    pair.here.next_frame().unwrap();
    assert_eq!(pair.here.write(id, &[7]), Ok(1));
}

#[test]
fn bytes_wait_where_nobody_reads_and_go_on_when_somebody_does() {
    let (mut pair, id) = Pair::with_stream();
    pair.here.write(id, &[7; MAX_UNSENT]).unwrap();
    pair.carry();
    assert_eq!(pair.there.kept().0, FIRST_CREDIT as usize);
    assert!(!pair.here.has_frame());
    read_all(&mut pair.there, id);
    pair.carry();
    assert!(pair.there.kept().0 > FIRST_CREDIT as usize);
}

#[test]
fn credit_is_good_to_the_last_byte_and_not_one_past_it() {
    let (mut pair, id) = Pair::with_stream();
    let data = |length| StreamFrame::Data(&[7; MAX_DATA][..length]).encode(id);
    let mut left = FIRST_CREDIT as usize;
    while left > 0 {
        let length = left.min(MAX_DATA);
        assert_eq!(pair.there.receive(data(length)), Ok(Received::Stirred(id)));
        left -= length;
    }
    assert_eq!(pair.there.receive(data(1)), Err(StreamViolation::PastCredit));
}

#[test]
fn bytes_that_nobody_wants_any_more_still_need_credit() {
    let (mut pair, id) = Pair::with_stream();
    pair.there.stop(id, StreamCode::DROPPED);
    let data = |length| StreamFrame::Data(&[7; MAX_DATA][..length]).encode(id);
    for length in [MAX_DATA, MAX_DATA, FIRST_CREDIT as usize - 2 * MAX_DATA] {
        assert_eq!(pair.there.receive(data(length)), Ok(Received::Stirred(id)));
    }
    assert_eq!(pair.there.kept().0, 0);
    assert_eq!(pair.there.receive(data(1)), Err(StreamViolation::PastCredit));
}

#[test]
fn a_slow_reader_keeps_no_more_than_the_most_credit() {
    let (mut pair, id) = Pair::with_stream();
    for _ in 0..100 {
        while pair.here.write(id, &[7; MAX_DATA]).unwrap() > 0 {}
        pair.carry();
        assert!(pair.there.kept().0 <= MOST_CREDIT as usize);
        pair.there.consume(id, MAX_DATA);
    }
    assert!(pair.there.kept().0 > MOST_CREDIT as usize / 2);
}

#[test]
fn tiny_frames_cost_little_more_than_their_bytes() {
    let (mut pair, id) = Pair::with_stream();
    for _ in 0..FIRST_CREDIT {
        pair.there.receive(StreamFrame::Data(&[7]).encode(id)).unwrap();
    }
    let (bytes, memory) = pair.there.kept();
    assert_eq!(bytes, FIRST_CREDIT as usize);
    assert!(memory <= 3 * bytes, "{memory} bytes for {bytes}");
    assert_eq!(read_all(&mut pair.there, id).len(), bytes);
}

#[test]
fn as_many_streams_are_opened_as_may_be_and_not_one_more() {
    let mut pair = Pair::new();
    let ids: Vec<_> = (0..MAX_STREAMS).map(|_| pair.open()).collect();
    assert_eq!(pair.here.open(name()), Err(OpenError::TooMany));
    let past = StreamFrame::Open { credit: 1, name: name() };
    let next = ids.last().unwrap().next().unwrap();
    assert_eq!(pair.there.receive(past.encode(next)), Err(StreamViolation::TooManyStreams));
    // One that ends makes room for one.
    pair.here.release(ids[0], StreamCode::DROPPED);
    pair.carry();
    pair.there.release(ids[0], StreamCode::DROPPED);
    pair.carry();
    pair.open();
    assert_eq!(pair.here.open(name()), Err(OpenError::TooMany));
}

#[test]
fn as_many_streams_wait_to_be_taken_as_may_and_the_next_is_told_so() {
    let mut pair = Pair::new();
    let ids: Vec<_> = (0..=MAX_UNACCEPTED).map(|_| pair.here.open(name()).unwrap()).collect();
    assert_eq!(pair.carry(), ids[..MAX_UNACCEPTED]);
    let busy = ids[MAX_UNACCEPTED];
    assert_eq!(pair.here.write(busy, b"x"), Err(StreamError::Stopped(StreamCode::BUSY)));
    assert_eq!(pair.here.readable(busy), Err(StreamError::Reset(StreamCode::BUSY)));
    assert_eq!(pair.here.write(ids[0], b"x"), Ok(1));
    // Taking one makes room for one.
    pair.there.accept(ids[0]);
    let id = pair.here.open(name()).unwrap();
    assert_eq!(pair.carry(), [id]);
}

#[test]
fn all_that_may_be_kept_is_sixteen_mib_however_many_streams_are_read() {
    let mut pair = Pair::new();
    let ids: Vec<_> = (0..MAX_STREAMS).map(|_| pair.open()).collect();
    for round in 0..200 {
        let id = ids[round * 7 % ids.len()];
        read_all(&mut pair.there, id);
        for id in &ids {
            while pair.here.write(*id, &[7; MAX_DATA]).unwrap() > 0 {}
        }
        pair.carry();
        assert!(pair.there.kept().0 <= 16 << 20);
        let (streams, pool) = pair.there.drawn();
        assert_eq!(streams, pool);
    }
    assert!(pair.there.drawn().0 > 0);
}

#[test]
fn ids_are_never_used_again_and_end_with_their_numbers() {
    let mut pair = Pair::new();
    for number in 0..300 {
        let id = pair.open();
        assert_eq!(id.number(), 2 * number + 1);
        pair.here.release(id, StreamCode::DROPPED);
        pair.there.release(id, StreamCode::DROPPED);
        pair.carry();
    }
    assert_eq!((pair.here.count(), pair.there.count()), (0, 0));
    pair.here.open_last_id_next();
    assert!(pair.here.open(name()).is_ok());
    assert_eq!(pair.here.open(name()), Err(OpenError::Exhausted));
}
