//! Digests of what happened: the same in every process, and another one when anything is another or comes in another order.

/// A digest that grows with what is added to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Digest {
        Digest(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// A number.
    pub fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    /// Bytes, and how many.
    pub fn add_bytes(&mut self, bytes: &[u8]) {
        self.add(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    /// What it has come to.
    pub fn value(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&[u8]]) -> u64 {
        let mut digest = Digest::default();
        parts.iter().for_each(|part| digest.add_bytes(part));
        digest.value()
    }

    #[test]
    fn order_borders_and_every_byte_count() {
        let same = of(&[b"one", b"two"]);
        assert_eq!(same, of(&[b"one", b"two"]));
        for other in [of(&[b"two", b"one"]), of(&[b"onetwo"]), of(&[b"one", b"twp"]), of(&[b"one", b"two\0"])] {
            assert_ne!(same, other);
        }
    }
}
