//! GF(2^16), and rows of sixteen of its elements.
//!
//! What is computed here goes over the wire in the clear, so that nothing need take the same time
//! for all values. Knows nothing of chunks.

/// The field's modulus is x^16 + x^12 + x^3 + x + 1 (0x1100b); this is what x^16 reduces to.
const REDUCED: u16 = 0x100b;

/// Bytes of a row: sixteen elements, each with its high byte first.
pub(super) const ROW: usize = 32;

/// The product of two elements.
#[allow(clippy::cast_possible_truncation, reason = "the last fold leaves 16 bits")]
pub(super) const fn multiply(left: u16, right: u16) -> u16 {
    let mut product = 0_u32;
    let mut bit = 0;
    while bit < 16 {
        product ^= (left as u32) << bit & 0_u32.wrapping_sub(right as u32 >> bit & 1);
        bit += 1;
    }
    // 15 bits stand too high. Each fold takes them down by 4 places, as x^12 follows x^16.
    fold(fold(fold(fold(product)))) as u16
}

const fn fold(product: u32) -> u32 {
    let high = product >> 16;
    product & 0xffff ^ high ^ high << 1 ^ high << 3 ^ high << 12
}

/// The inverse of an element, which is its power to 2^16 - 2; zero of zero.
pub(super) const fn invert(element: u16) -> u16 {
    let mut inverse = 1;
    let mut power = element;
    let mut squared = 1;
    while squared < 16 {
        power = multiply(power, power);
        inverse = multiply(inverse, power);
        squared += 1;
    }
    inverse
}

/// The sum of rows, each times its factor.
///
/// It goes through the factors bit by bit, so that the sum is doubled sixteen times in all however
/// many rows there are, and the rest is exclusive-or.
pub(super) fn combine(factors: &[u16], rows: &[[u8; ROW]]) -> [u8; ROW] {
    let mut sum = [0; ROW];
    for bit in (0..16).rev() {
        double(&mut sum);
        for (factor, row) in factors.iter().zip(rows) {
            let mask = 0_u8.wrapping_sub((factor >> bit & 1) as u8);
            for (to, from) in sum.iter_mut().zip(row) {
                *to ^= from & mask;
            }
        }
    }
    sum
}

fn double(row: &mut [u8; ROW]) {
    for bytes in row.as_chunks_mut::<2>().0 {
        let element = u16::from_be_bytes(*bytes);
        let carried = 0_u16.wrapping_sub(element >> 15);
        *bytes = (element << 1 ^ REDUCED & carried).to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Multiplication as the field is defined: shift, and subtract the modulus where it fits.
    fn by_definition(left: u16, right: u16) -> u16 {
        let mut product = 0_u32;
        for bit in (0..16).rev() {
            product = product << 1 ^ if right >> bit & 1 == 1 { u32::from(left) } else { 0 };
            if product >> 16 == 1 {
                product ^= 0x1_100b;
            }
        }
        product.try_into().unwrap()
    }

    #[test]
    fn products_are_those_of_the_definition() {
        for left in (0..=u16::MAX).step_by(97).chain([1, 2, u16::MAX]) {
            for right in (0..=u16::MAX).step_by(89).chain([1, 2, u16::MAX]) {
                assert_eq!(multiply(left, right), by_definition(left, right), "{left} {right}");
            }
        }
    }

    #[test]
    fn every_element_but_zero_has_its_inverse() {
        assert_eq!(invert(0), 0);
        for element in 1..=u16::MAX {
            assert_eq!(multiply(element, invert(element)), 1, "{element}");
        }
    }

    #[test]
    fn rows_combine_element_by_element() {
        let rows =
            [[0x80; ROW], [0x13; ROW], core::array::from_fn(|at| u8::try_from(at * 7).unwrap())];
        let factors = [0, 0xfedc, 3];
        let sum = combine(&factors, &rows);
        for (at, pair) in sum.as_chunks::<2>().0.iter().enumerate() {
            let expected = factors.iter().zip(&rows).fold(0, |sum, (factor, row)| {
                sum ^ multiply(*factor, u16::from_be_bytes(row.as_chunks().0[at]))
            });
            assert_eq!(u16::from_be_bytes(*pair), expected, "{at}");
        }
    }
}
