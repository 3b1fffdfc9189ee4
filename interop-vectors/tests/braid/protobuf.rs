//! Protobuf without a schema: fields by their number.

/// The fields of a message, in order.
pub(crate) struct Fields<'a>(Vec<(u64, Field<'a>)>);

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    pub(crate) fn read(mut bytes: &'a [u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let field = match tag & 7 {
                0 => Field::Number(varint(&mut bytes)),
                2 => {
                    let length = usize::try_from(varint(&mut bytes)).unwrap();
                    let (value, rest) = bytes.split_at(length);
                    bytes = rest;
                    Field::Bytes(value)
                }
                other => panic!("wire type {other} is in no record"),
            };
            fields.push((tag >> 3, field));
        }
        Self(fields)
    }

    /// An integer; zero if it is absent, as in proto3.
    pub(crate) fn number(&self, number: u64) -> u64 {
        let found = self.0.iter().rev().find_map(|(other, field)| match field {
            Field::Number(value) if *other == number => Some(*value),
            _ => None,
        });
        found.unwrap_or(0)
    }

    /// Each byte string of this number.
    pub(crate) fn every(&self, number: u64) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter_map(move |(other, field)| match field {
            Field::Bytes(bytes) if *other == number => Some(*bytes),
            _ => None,
        })
    }

    /// The byte string of this number, if it is there.
    pub(crate) fn find(&self, number: u64) -> Option<&'a [u8]> {
        self.every(number).last()
    }

    /// The byte string of this number.
    pub(crate) fn bytes(&self, number: u64) -> &'a [u8] {
        self.find(number).unwrap_or_else(|| panic!("field {number} is missing"))
    }

    /// The message of this number.
    pub(crate) fn message(&self, number: u64) -> Fields<'a> {
        Self::read(self.bytes(number))
    }

    /// The only message, and its number.
    pub(crate) fn only(&self) -> (u64, Fields<'a>) {
        match self.0.as_slice() {
            [(number, Field::Bytes(bytes))] => (*number, Self::read(bytes)),
            _ => panic!("there is not just one"),
        }
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}
