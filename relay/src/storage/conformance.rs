//! What a backend must pass, as a library function: a backend outside this workspace calls it from
//! its own tests. Itself tested against a backend that was broken on purpose.

use super::{Applied, Change, Condition, Key, Most, Storage, StorageError, Subject, Then};

/// What a backend did not keep.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Violation {
    /// Something did not hold.
    #[error("it does not hold that {0}")]
    Claim(&'static str),
    /// The backend failed.
    #[error("{0}")]
    Failed(#[from] StorageError),
}

/// Judges a backend; `make` makes an empty one.
pub fn run(mut make: impl FnMut() -> Box<dyn Storage>) -> Result<(), Violation> {
    an_append_needs_the_next_number(&mut *make())?;
    a_removed_number_does_not_come_again(&mut *make())?;
    logs_are_apart_and_in_order(&mut *make())?;
    values_are_put_once_where_asked(&mut *make())?;
    a_change_whose_condition_fails_does_nothing(&mut *make())?;
    names_are_listed_in_order(&mut *make())?;
    what_is_opened_again_is_as_it_was(&mut *make())?;
    totals_follow(&mut *make())
}

const ALL: Most = Most { entries: usize::MAX, bytes: usize::MAX };

fn an_append_needs_the_next_number(storage: &mut dyn Storage) -> Result<(), Violation> {
    let log = subject(1);
    claim(storage.last(&log)? == 0, "an empty log's last sequence is 0")?;
    let outcomes =
        storage.apply(&[append(log, 2), append(log, 1), append(log, 1), append(log, 2)])?;
    let expected =
        [Applied::NotLast { last: 0 }, Applied::Done, Applied::NotLast { last: 1 }, Applied::Done];
    claim(outcomes == expected, "an append is taken only with the next number")?;
    claim(storage.last(&log)? == 2, "the last sequence is that of the last append")?;
    claim(numbers(storage, &log, 0, ALL)? == [1, 2], "what was taken is there, once")
}

fn a_removed_number_does_not_come_again(storage: &mut dyn Storage) -> Result<(), Violation> {
    let log = subject(1);
    storage.apply(&[append(log, 1), append(log, 2), append(log, 3)])?;
    let remove = |sequence| Change::from(Then::Remove { subject: log, sequence });
    storage.apply(&[remove(3), remove(3), remove(9)])?;
    claim(numbers(storage, &log, 0, ALL)? == [1, 2], "what was removed is gone")?;
    claim(storage.last(&log)? == 3, "a removed number stays the last")?;
    let outcomes = storage.apply(&[append(log, 3), append(log, 4)])?;
    let expected = [Applied::NotLast { last: 3 }, Applied::Done];
    claim(outcomes == expected, "a removed number is not used again")?;
    storage.apply(&[Then::Truncate { subject: log, through: 4 }.into()])?;
    claim(numbers(storage, &log, 0, ALL)?.is_empty(), "a log is truncated with its last")?;
    claim(storage.apply(&[append(log, 5)])? == [Applied::Done], "a truncated log goes on")
}

fn logs_are_apart_and_in_order(storage: &mut dyn Storage) -> Result<(), Violation> {
    let (one, other) = (subject(1), subject(2));
    for sequence in 1..=300 {
        storage.apply(&[append(one, sequence), append(other, sequence)])?;
    }
    let most = |entries, bytes| Most { entries, bytes };
    claim(numbers(storage, &one, 297, ALL)? == [298, 299, 300], "a log ends at its last")?;
    claim(numbers(storage, &other, 0, most(2, 99))? == [1, 2], "no more entries than asked for")?;
    claim(numbers(storage, &other, 4, most(9, 17))? == [5, 6], "no more bytes than asked for")?;
    claim(numbers(storage, &other, 4, most(9, 0))? == [5], "the first comes whatever its length")?;
    claim(numbers(storage, &one, u64::MAX, ALL)?.is_empty(), "nothing is behind the last number")?;
    storage.apply(&[Then::Truncate { subject: one, through: 299 }.into()])?;
    claim(numbers(storage, &one, 0, ALL)? == [300], "a log is truncated up to a number")?;
    claim(numbers(storage, &other, 0, ALL)?.len() == 300, "the other log is untouched")
}

fn values_are_put_once_where_asked(storage: &mut dyn Storage) -> Result<(), Violation> {
    let key = key(1);
    let put_new = |value: u8| Change {
        condition: Some(Condition::PutNew { key, value: vec![value] }),
        then: Vec::new(),
    };
    claim(storage.get(&key)?.is_none(), "a value that was not put is not there")?;
    let outcomes = storage.apply(&[put_new(1), put_new(2)])?;
    claim(outcomes == [Applied::Done, Applied::Exists], "a value is put once")?;
    claim(storage.get(&key)? == Some(vec![1]), "the first stays")?;
    storage.apply(&[Then::Put { key, value: vec![3] }.into()])?;
    claim(storage.get(&key)? == Some(vec![3]), "a put without condition replaces")?;
    storage.apply(&[Then::Delete(key).into()])?;
    claim(storage.get(&key)?.is_none(), "a deleted value is gone")
}

fn a_change_whose_condition_fails_does_nothing(storage: &mut dyn Storage) -> Result<(), Violation> {
    let (log, key) = (subject(1), key(1));
    let mut change = append(log, 7);
    change.then.push(Then::Put { key, value: vec![1] });
    storage.apply(&[change.clone()])?;
    claim(storage.get(&key)?.is_none(), "what stands behind a failed condition is not done")?;
    change.condition = append(log, 1).condition;
    storage.apply(&[change])?;
    claim(storage.get(&key)?.is_some(), "what stands behind a condition is done")
}

fn names_are_listed_in_order(storage: &mut dyn Storage) -> Result<(), Violation> {
    for id in [3, 1, 2] {
        let put = Then::Put { key: key(id), value: vec![id] };
        storage.apply(&[append(subject(id), 1), append(subject(id), 2), put.into()])?;
    }
    let listed = |after: Option<u8>, most| storage.subjects(after.map(subject).as_ref(), most);
    claim(listed(None, 9)? == [1, 2, 3].map(subject), "each subject is listed once, in order")?;
    claim(listed(Some(1), 1)? == [subject(2)], "subjects are listed behind one")?;
    let values = storage.values(Some(&key(1)), 9)?;
    claim(values == [(key(2), vec![2]), (key(3), vec![3])], "values are listed behind one")?;
    claim(storage.values(None, 1)? == [(key(1), vec![1])], "no more values than asked for")
}

fn what_is_opened_again_is_as_it_was(storage: &mut dyn Storage) -> Result<(), Violation> {
    let (log, key) = (subject(1), key(1));
    storage.apply(&[append(log, 1), append(log, 2), Then::Put { key, value: vec![1] }.into()])?;
    storage.apply(&[Then::Remove { subject: log, sequence: 2 }.into()])?;
    storage.reopen()?;
    claim(
        numbers(storage, &log, 0, ALL)? == [1],
        "what was done is there when it is opened again",
    )?;
    claim(storage.last(&log)? == 2, "a removed number stays the last when it is opened again")?;
    claim(storage.get(&key)? == Some(vec![1]), "a value is there when it is opened again")?;
    claim(storage.apply(&[append(log, 3)])? == [Applied::Done], "what is opened again goes on")
}

fn totals_follow(storage: &mut dyn Storage) -> Result<(), Violation> {
    let (log, key) = (subject(1), key(1));
    let before = storage.totals()?;
    storage.apply(&[append(log, 1), append(log, 2), append(log, 9)])?;
    storage.apply(&[Then::Put { key, value: vec![0; 9] }.into()])?;
    storage.apply(&[Then::Put { key, value: vec![0; 4] }.into()])?;
    storage.apply(&[Then::Remove { subject: log, sequence: 1 }.into()])?;
    let after = storage.totals()?;
    claim(after.entries == before.entries + 1, "entries are counted")?;
    claim(after.bytes == before.bytes + 8 + 4, "bytes are counted")
}

fn append(subject: Subject, sequence: u64) -> Change {
    let record = sequence.to_be_bytes().to_vec();
    Change { condition: Some(Condition::Append { subject, sequence, record }), then: Vec::new() }
}

fn numbers(
    storage: &dyn Storage,
    subject: &Subject,
    after: u64,
    most: Most,
) -> Result<Vec<u64>, Violation> {
    let records = storage.read(subject, after, most)?;
    let own = |sequence: u64| sequence.to_be_bytes().to_vec();
    claim(
        records.iter().all(|record| record.bytes == own(record.sequence)),
        "an entry is what was appended under its number",
    )?;
    Ok(records.into_iter().map(|record| record.sequence).collect())
}

fn subject(id: u8) -> Subject {
    Subject::new(1, &[id; 32])
}

fn key(id: u8) -> Key {
    Key::new(1, &[id; 32])
}

fn claim(held: bool, claim: &'static str) -> Result<(), Violation> {
    if held { Ok(()) } else { Err(Violation::Claim(claim)) }
}
