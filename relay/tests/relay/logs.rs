//! A fleet's log: one order, authors, confirmations, a re-founding once.

use meshwork_protocols::identity::AgentId;
use meshwork_protocols::relay::*;
use meshwork_relay::Relay;
use meshwork_relay::storage::MemoryStorage;

use crate::common::*;

const LOG: LogId = LogId([4; 32]);

fn append(entry: Entry) -> Request {
    Request::Append(Append { log: LOG, entry })
}

fn commit(builds_on: Option<u64>, admitted: &[(u16, MayAppend)], removed: &[u16]) -> Entry {
    Entry::Commit(Commit {
        epoch: 1,
        builds_on: builds_on.map(EntryIndex),
        admitted: admitted.iter().map(|(agent, may)| (someone(*agent), *may)).collect(),
        removed: removed.iter().copied().map(someone).collect(),
        bytes: vec![builds_on.unwrap_or(0) as u8; 40].into(),
    })
}

fn message(text: &[u8]) -> Entry {
    Entry::Message(text.to_vec().into())
}

fn statement(on: u64, kind: StatementKind) -> Entry {
    Entry::Statement(Statement { on: EntryIndex(on), kind, bytes: Opaque::default() })
}

fn refounding(voids: u64, listed: &[(u16, MayAppend)]) -> Entry {
    let listed = listed.iter().map(|(agent, may)| (someone(*agent), *may)).collect();
    let voids = EntryIndex(voids);
    Entry::Refounding(Refounding { voids, epoch: 9, listed, bytes: vec![9; 9].into() })
}

fn read(after: u64) -> Request {
    Request::ReadLog(ReadLog { log: LOG, after: EntryIndex(after), most: 1_024, wait: 0 })
}

fn appended(index: u64) -> Answer {
    Answer::Appended(EntryIndex(index))
}

struct Fleet(Relay<MemoryStorage>);

impl Fleet {
    /// Founded by 1 with the admin 2 and the member 3; 4 is invited.
    fn founded() -> Self {
        let mut fleet = Self(relay());
        let listed = [
            (1, MayAppend::Admin),
            (2, MayAppend::Admin),
            (3, MayAppend::Member),
            (4, MayAppend::Invited),
        ];
        assert_eq!(fleet.append(1, commit(None, &listed, &[])), appended(1));
        fleet
    }

    fn append(&mut self, author: u16, entry: Entry) -> Answer {
        ask(&mut self.0, someone(author), append(entry))
    }

    #[track_caller]
    fn refused(&mut self, author: u16, entry: Entry, refusal: Refusal) {
        let before = self.0.metrics().stored_entries;
        assert_eq!(self.append(author, entry), Answer::Refused(refusal));
        assert_eq!(self.0.metrics().stored_entries, before);
    }

    fn indices(&mut self, reader: u16) -> Vec<u64> {
        match ask(&mut self.0, someone(reader), read(0)) {
            Answer::Entries { entries, .. } => {
                entries.iter().map(|logged| logged.index.0).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

const LAST: fn(u64) -> Refusal = |last| Refusal::NotLast { last: EntryIndex(last) };

#[test]
fn a_commit_is_appended_only_to_the_last_commit_whatever_messages_stand_after_it() {
    let mut fleet = Fleet::founded();
    assert_eq!(fleet.append(3, message(b"one")), appended(2));
    assert_eq!(fleet.append(2, commit(Some(1), &[], &[])), appended(3));
    fleet.refused(3, commit(Some(1), &[], &[]), LAST(3));
    fleet.refused(3, commit(Some(2), &[], &[]), LAST(3));
    fleet.refused(3, commit(None, &[], &[]), LAST(3));
    assert_eq!(fleet.append(3, commit(Some(3), &[], &[])), appended(4));
    assert_eq!(fleet.indices(1), [1, 2, 3, 4]);
}

#[test]
fn an_entry_repeated_by_its_author_is_answered_as_the_first() {
    let mut fleet = Fleet::founded();
    for _ in 0..3 {
        assert_eq!(fleet.append(2, commit(Some(1), &[], &[])), appended(2));
        assert_eq!(fleet.append(2, message(b"one")), appended(3));
    }
    assert_eq!(fleet.append(3, message(b"one")), appended(4));
    assert_eq!(fleet.indices(1), [1, 2, 3, 4]);
}

#[test]
fn each_appends_what_it_may_and_strangers_nothing() {
    let mut fleet = Fleet::founded();
    fleet.refused(9, message(b"one"), Refusal::NotListed);
    fleet.refused(9, commit(Some(1), &[], &[]), Refusal::NotListed);
    fleet.refused(4, message(b"one"), Refusal::NotListed);
    fleet.refused(4, statement(1, StatementKind::Confirmed), Refusal::NotListed);
    assert_eq!(fleet.append(4, commit(Some(1), &[(4, MayAppend::Member)], &[])), appended(2));
    assert_eq!(fleet.append(4, message(b"I joined")), appended(3));
    assert_eq!(ask(&mut fleet.0, someone(9), read(0)), Answer::Refused(Refusal::NotListed));
    let mut empty = Fleet(relay());
    empty.refused(1, message(b"one"), Refusal::NoSuchLog);
    assert_eq!(ask(&mut empty.0, someone(1), read(0)), Answer::Refused(Refusal::NoSuchLog));
}

#[test]
fn only_admins_say_who_may_append_and_who_is_invited_lists_itself_as_a_member() {
    let mut fleet = Fleet::founded();
    for author in [3, 4] {
        fleet.refused(author, commit(Some(1), &[(9, MayAppend::Member)], &[]), Refusal::NotListed);
        fleet.refused(author, commit(Some(1), &[], &[1]), Refusal::NotListed);
        let more = [(author, MayAppend::Admin)];
        fleet.refused(author, commit(Some(1), &more, &[]), Refusal::NotListed);
    }
    assert_eq!(fleet.append(3, commit(Some(1), &[(3, MayAppend::Member)], &[])), appended(2));
    assert_eq!(fleet.append(4, commit(Some(2), &[(4, MayAppend::Member)], &[])), appended(3));
    assert_eq!(fleet.append(2, commit(Some(3), &[(9, MayAppend::Admin)], &[3])), appended(4));
}

#[test]
fn who_is_removed_may_append_until_that_is_confirmed_and_then_read_of_it() {
    let mut fleet = Fleet::founded();
    assert_eq!(fleet.append(1, commit(Some(1), &[(5, MayAppend::Member)], &[3])), appended(2));
    assert_eq!(fleet.append(5, message(b"pending ones admit")), appended(3));
    assert_eq!(fleet.append(3, message(b"still here")), appended(4));
    fleet.refused(1, statement(2, StatementKind::Confirmed), Refusal::OwnCommit);
    fleet.refused(2, statement(3, StatementKind::Confirmed), Refusal::NoSuchCommit);
    assert_eq!(fleet.append(2, statement(2, StatementKind::Confirmed)), appended(5));
    fleet.refused(3, message(b"gone"), Refusal::NotListed);
    assert_eq!(fleet.append(5, message(b"after")), appended(6));
    assert_eq!(fleet.indices(3), [1, 2, 3, 4, 5]);
    assert_eq!(fleet.indices(5), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_commit_that_was_reported_is_not_confirmed_by_a_later_one() {
    let mut fleet = Fleet::founded();
    assert_eq!(fleet.append(1, commit(Some(1), &[(5, MayAppend::Member)], &[3])), appended(2));
    assert_eq!(fleet.append(3, statement(2, StatementKind::CannotProcess)), appended(3));
    assert_eq!(fleet.append(2, commit(Some(2), &[(6, MayAppend::Member)], &[])), appended(4));
    assert_eq!(fleet.append(3, statement(4, StatementKind::Confirmed)), appended(5));
    assert_eq!(fleet.append(3, message(b"listed as before")), appended(6));
    assert_eq!(fleet.append(6, message(b"that counts")), appended(7));
    fleet.refused(5, message(b"that does not"), Refusal::NotListed);
    // Members may still speak of it, and that says nothing of its lists any more.
    assert_eq!(fleet.append(2, statement(2, StatementKind::Confirmed)), appended(8));
    assert_eq!(fleet.append(3, message(b"still")), appended(9));
    // One that is confirmed itself counts, whoever reported it.
    let mut fleet = Fleet::founded();
    assert_eq!(fleet.append(1, commit(Some(1), &[(5, MayAppend::Member)], &[3])), appended(2));
    assert_eq!(fleet.append(3, statement(2, StatementKind::CannotProcess)), appended(3));
    assert_eq!(fleet.append(2, statement(2, StatementKind::Confirmed)), appended(4));
    fleet.refused(3, message(b"gone"), Refusal::NotListed);
    assert_eq!(fleet.append(5, message(b"here")), appended(5));
}

#[test]
fn a_refounding_is_taken_once_from_an_admin_but_the_author_and_only_while_unconfirmed() {
    let mut fleet = Fleet::founded();
    let after = [(2, MayAppend::Admin), (3, MayAppend::Member)];
    assert_eq!(fleet.append(1, commit(Some(1), &[(6, MayAppend::Admin)], &[])), appended(2));
    assert_eq!(fleet.append(6, commit(Some(2), &[], &[])), appended(3));
    fleet.refused(3, refounding(2, &after), Refusal::NotListed);
    fleet.refused(6, refounding(2, &after), Refusal::NotListed);
    fleet.refused(1, refounding(2, &after), Refusal::OwnCommit);
    fleet.refused(2, refounding(1, &after), Refusal::Confirmed);
    fleet.refused(2, refounding(7, &after), Refusal::NoSuchCommit);
    assert_eq!(fleet.append(3, statement(2, StatementKind::CannotProcess)), appended(4));
    assert_eq!(fleet.append(2, refounding(2, &after)), appended(5));
    // Again, and after it: what was voided is gone, and with it who was admitted.
    assert_eq!(fleet.append(2, refounding(2, &after)), appended(5));
    fleet.refused(2, refounding(2, &[(2, MayAppend::Admin)]), Refusal::NoSuchCommit);
    fleet.refused(3, statement(2, StatementKind::Confirmed), Refusal::NoSuchCommit);
    fleet.refused(6, message(b"I was admitted"), Refusal::NotListed);
    fleet.refused(2, commit(Some(3), &[], &[]), LAST(5));
    assert_eq!(fleet.append(3, commit(Some(5), &[], &[])), appended(6));
    // A confirmed commit is not founded anew for.
    assert_eq!(fleet.append(2, statement(6, StatementKind::Confirmed)), appended(7));
    fleet.refused(2, refounding(6, &after), Refusal::Confirmed);
}

#[test]
fn entries_go_when_all_have_passed_them_or_after_30_days_and_the_state_stays() {
    let mut fleet = Fleet::founded();
    for number in 0..600_u16 {
        let text = number.to_be_bytes();
        assert_eq!(fleet.append(3, message(&text)), appended(u64::from(number) + 2));
    }
    let passed = |log, through| Request::PassedLog { log, through: EntryIndex(through) };
    for agent in 1..=4 {
        assert_eq!(ask(&mut fleet.0, someone(agent), passed(LOG, 300)), Answer::Done);
        let first = fleet.indices(1)[0];
        assert_eq!(first, if agent == 4 { 301 } else { 1 });
    }
    let refused = ask(&mut fleet.0, someone(9), passed(LOG, 300));
    assert_eq!(refused, Answer::Refused(Refusal::NotListed));
    for _ in 0..3 {
        fleet.0.sweep(NOW + 31 * DAY).unwrap();
    }
    let answer = ask(&mut fleet.0, someone(1), read(0));
    let (first, last) = (EntryIndex(602), EntryIndex(601));
    let Answer::Entries { chain, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(answer, Answer::Entries { first, last, chain, entries: vec![] });
    assert_ne!(chain, LogChain::START);
    fleet.refused(2, commit(Some(7), &[], &[]), LAST(1));
    assert_eq!(fleet.append(2, commit(Some(1), &[], &[])), appended(602));
}

#[test]
fn who_was_removed_is_told_so_where_the_entry_that_says_it_was_dropped() {
    let mut fleet = Fleet::founded();
    assert_eq!(fleet.append(1, commit(Some(1), &[], &[3])), appended(2));
    assert_eq!(fleet.append(2, statement(2, StatementKind::Confirmed)), appended(3));
    assert_eq!(fleet.append(2, message(b"after")), appended(4));
    let read_at = |fleet: &mut Fleet, after| ask(&mut fleet.0, someone(3), read(after));
    let is_answered =
        |answer| matches!(answer, Answer::Entries { entries, .. } if entries.is_empty());
    // It read that itself.
    assert!(is_answered(read_at(&mut fleet, 3)));
    for agent in [1, 2, 4] {
        let passed = Request::PassedLog { log: LOG, through: EntryIndex(3) };
        assert_eq!(ask(&mut fleet.0, someone(agent), passed), Answer::Done);
    }
    // It may be at that place by what another told it, or not be there yet: then it sees the gap.
    assert_eq!(read_at(&mut fleet, 3), Answer::Refused(Refusal::NotListed));
    assert!(is_answered(read_at(&mut fleet, 2)));
}

#[test]
fn of_two_commits_in_one_batch_the_first_is_taken_and_readers_are_told() {
    let mut fleet = Fleet::founded();
    fleet.0.take_nudges();
    let asked = |author: u16| meshwork_relay::Asked {
        caller: someone(author),
        request: append(commit(Some(1), &[], &[author])),
    };
    let outcomes = fleet.0.serve(NOW, &[asked(1), asked(2)]).unwrap();
    let answers = [appended(2), Answer::Refused(LAST(2))].map(meshwork_relay::Outcome::Answer);
    assert_eq!(outcomes, answers);
    let told: Vec<AgentId> = fleet.0.take_nudges().into_iter().map(|(agent, _)| agent).collect();
    assert_eq!(told, [2, 3, 4].map(someone));
}

#[test]
fn the_chain_that_is_told_is_the_one_that_readers_compute_over_drops_and_reopenings() {
    let mut fleet = Fleet::founded();
    let read_from = |fleet: &mut Fleet, reader: u16, after: u64| match ask(
        &mut fleet.0,
        someone(reader),
        read(after),
    ) {
        Answer::Entries { first, chain, entries, .. } => (first, chain, entries),
        other => panic!("{other:?}"),
    };
    let computed = |mut chain: LogChain, entries: &[Logged]| {
        for logged in entries {
            chain = chain.with(PROVIDER, logged.index, &logged.author, &logged.entry);
        }
        chain
    };
    for number in 0..300_u16 {
        assert_eq!(
            fleet.append(3, message(&number.to_be_bytes())),
            appended(u64::from(number) + 2)
        );
        if number % 100 == 0 {
            fleet.0.reopen().unwrap();
        }
    }
    let (_, start, all) = read_from(&mut fleet, 1, 0);
    assert_eq!((start, all.len()), (LogChain::START, 301));
    let at = |place: usize| computed(LogChain::START, &all[..place]);
    // 1. Before the first entry that is given, and at the end.
    assert_eq!(read_from(&mut fleet, 1, 100).1, at(100));
    assert_eq!(read_from(&mut fleet, 1, 301).1, at(301));
    // 2. Where entries were dropped.
    for agent in 1..=4 {
        let passed = Request::PassedLog { log: LOG, through: EntryIndex(200) };
        assert_eq!(ask(&mut fleet.0, someone(agent), passed), Answer::Done);
    }
    fleet.0.reopen().unwrap();
    let (first, chain, entries) = read_from(&mut fleet, 1, 0);
    assert_eq!((first, chain), (EntryIndex(201), at(200)));
    assert_eq!(computed(chain, &entries), at(301));
    // 3. For who was removed, behind the last that it may read.
    assert_eq!(fleet.append(1, commit(Some(1), &[], &[3])), appended(302));
    assert_eq!(fleet.append(2, statement(302, StatementKind::Confirmed)), appended(303));
    assert_eq!(fleet.append(2, message(b"after")), appended(304));
    let (_, chain, entries) = read_from(&mut fleet, 3, 301);
    assert_eq!((chain, entries.len()), (at(301), 2));
    let last = read_from(&mut fleet, 3, 303);
    assert_eq!((last.1, last.2.len()), (computed(chain, &entries), 0));
    // 4. Who read on behind that, since the log was another then, is told that it is out.
    let refused = ask(&mut fleet.0, someone(3), read(304));
    assert_eq!(refused, Answer::Refused(Refusal::NotListed));
}
