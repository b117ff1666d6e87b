//! Hashes and nonces as text.

use std::fmt::Write;

/// Two lower-case digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The 32 bytes of a SHA-256 that [`hex`] wrote.
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c.to_digit(16)?).ok()).collect();
    let bytes: Vec<u8> = digits?.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    bytes.try_into().ok().filter(|_| text.len() == 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let bytes = std::array::from_fn(|n| u8::try_from(8 * n).expect("small"));
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        assert!(hex(&bytes).starts_with("0008101820"));
        for wrong in ["", "00", &"g".repeat(64), &"+1".repeat(32), &"0".repeat(63), &"ä".repeat(32)] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
    }
}
