use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::{CHUNK_LENGTH, Label, Overlay, Place};
use crate::fleet::rows::{RowChange, Rows, StoreError};
use crate::secret::SecretBytes;

#[derive(Debug, Default)]
struct Stored(BTreeMap<Vec<u8>, Vec<u8>>);

impl Rows for Stored {
    fn get(&self, key: &[u8]) -> Result<Option<SecretBytes>, StoreError> {
        Ok(self.0.get(key).map(|value| SecretBytes::new(value.clone())))
    }
}

impl Stored {
    fn adopt(&mut self, changes: Vec<RowChange>) {
        for change in changes {
            match change.value {
                Some(value) => {
                    assert!(value.len() <= CHUNK_LENGTH + 5);
                    self.0.insert(change.key, value.expose().to_vec())
                }
                None => self.0.remove(&change.key),
            };
        }
    }

    fn write(&mut self, length: usize) {
        let changes = {
            let overlay = Overlay::new(self);
            overlay.put_raw(Place::Current, Label::Tree, "g", Some(bytes(length))).unwrap();
            overlay.into_changes().unwrap()
        };
        self.adopt(changes);
    }

    fn read(&self) -> Result<Option<SecretBytes>, StoreError> {
        Overlay::new(self).raw(Place::Current, Label::Tree, "g")
    }
}

fn bytes(length: usize) -> SecretBytes {
    SecretBytes::new((0..=250_u8).cycle().take(length).collect())
}

#[test]
fn a_value_of_any_length_comes_back_and_leaves_no_chunk_of_a_longer_one() {
    let mut stored = Stored::default();
    for chunks in [3, 1, 2, 0] {
        for length in [chunks * CHUNK_LENGTH, chunks * CHUNK_LENGTH + 1] {
            stored.write(length);
            assert_eq!(stored.read(), Ok(Some(bytes(length))));
            assert_eq!(stored.0.len(), length.div_ceil(CHUNK_LENGTH).max(1));
        }
    }
    let changes = {
        let overlay = Overlay::new(&stored);
        overlay.delete(Label::Tree, "g").unwrap();
        overlay.into_changes().unwrap()
    };
    stored.adopt(changes);
    assert!(stored.0.is_empty());
}

#[test]
fn a_read_sees_what_the_operation_wrote_and_the_rows_see_nothing_of_it() {
    let mut stored = Stored::default();
    stored.write(3);
    let overlay = Overlay::new(&stored);
    overlay.put(Label::Context, "g", &7_u8).unwrap();
    assert_eq!(overlay.get(Label::Context, "g"), Ok(Some(7_u8)));
    overlay.delete(Label::Tree, "g").unwrap();
    assert_eq!(overlay.raw(Place::Current, Label::Tree, "g"), Ok(None));
    drop(overlay);
    assert_eq!(stored.read(), Ok(Some(bytes(3))));
}

#[test]
fn labels_groups_and_epochs_do_not_share_a_row() {
    let stored = Stored::default();
    let overlay = Overlay::new(&stored);
    for (number, place) in (0_u8..).zip([Place::Current, Place::Past(0), Place::Past(1)]) {
        for (label, group) in [(Label::Tree, "g"), (Label::Context, "g"), (Label::Tree, "h")] {
            let value = SecretBytes::new(vec![number, label as u8, group.as_bytes()[0]]);
            overlay.put_raw(place, label, group, Some(value)).unwrap();
        }
    }
    assert_eq!(overlay.into_changes().unwrap().len(), 9);
}

#[test]
fn a_list_gives_up_what_is_removed_and_keeps_the_rest() {
    let stored = Stored::default();
    let overlay = Overlay::new(&stored);
    for element in [1_u32, 2, 3] {
        overlay.append(Label::OwnLeafNodes, "g", &element).unwrap();
    }
    overlay.remove(Label::OwnLeafNodes, "g", &2_u32).unwrap();
    assert_eq!(overlay.list(Label::OwnLeafNodes, "g"), Ok(vec![1_u32, 3]));
}

#[test]
fn a_damaged_row_is_an_error_and_no_value() {
    let mut stored = Stored::default();
    stored.write(2 * CHUNK_LENGTH);
    let (last, _) = stored.0.pop_last().unwrap();
    assert_eq!(stored.read(), Err(StoreError::Damaged));
    stored.write(2 * CHUNK_LENGTH);
    assert!(stored.0.contains_key(&last));
    stored.0.first_entry().unwrap().get_mut()[0] = 2;
    assert_eq!(stored.read(), Err(StoreError::UnsupportedFormat(2)));
    stored.0.first_entry().unwrap().get_mut()[0] = 1;
    stored.0.first_entry().unwrap().get_mut().truncate(3);
    assert_eq!(stored.read(), Err(StoreError::Damaged));
}
