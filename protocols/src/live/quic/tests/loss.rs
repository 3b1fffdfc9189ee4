//! A lost datagram costs time and nothing else.

use alloc::boxed::Box;

use super::pair::{From, Pair};
use crate::live::fixture::Node;

#[test]
fn the_loss_of_any_one_of_the_first_ten_datagrams_either_way_is_no_deadlock() {
    let (client, server) = (Node::new(1), Node::new(5));
    for retry in [false, true] {
        for lost_from in [From::Client, From::Server] {
            for lost in 0..10 {
                let mut pair = Pair::between(&client, &server);
                pair.retry = retry;
                pair.fate = Box::new(move |from, number, _| (from, number) != (lost_from, lost));
                let what = (lost_from, lost, retry);
                assert!(pair.establish(), "{what:?}");
                assert!(pair.frame_arrives(From::Client, b"\x10there"), "{what:?}");
                assert!(pair.frame_arrives(From::Server, b"\x10and back"), "{what:?}");
            }
        }
    }
}

#[test]
fn of_two_datagrams_one_that_arrives_is_enough() {
    let (client, server) = (Node::new(1), Node::new(5));
    for phase in 0..2 {
        let mut pair = Pair::between(&client, &server);
        let mut passed = phase;
        pair.fate = Box::new(move |_, _, _| {
            passed += 1;
            passed % 2 == 0
        });
        assert!(pair.run_until(|pair| pair.client.connected && pair.server.connected), "{phase}");
    }
}
