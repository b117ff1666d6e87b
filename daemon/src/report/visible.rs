//! Foreign text passes through terminals and chats: what would command them instead of being read is shown as a sign.

/// The text with a visible sign for each character that moves the cursor, changes what is shown elsewhere, or turns the
/// direction of writing. Line breaks and tabs stay. Each sign has one UTF-16 unit, as what it stands for: offsets into the
/// text hold for the result too.
pub fn visible(text: &str) -> String {
    // Nearly every text is plain, and is gone through several times on its way out.
    let plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    if text.bytes().all(plain) { text.to_owned() } else { text.chars().map(sign).collect() }
}

fn sign(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        // Unicode has a picture for each of these: ␛ says more than a question mark.
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '\u{2421}',
        // The rest of the control characters, and overrides, embeddings and isolates of the direction.
        '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::visible;
    use crate::report::{Text, short};
    use proptest::prelude::*;

    fn commands(c: char) -> bool {
        (c.is_control() && c != '\n' && c != '\t') || "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}".contains(c) || {
            "\u{2066}\u{2067}\u{2068}\u{2069}".contains(c)
        }
    }

    /// Any text, with more of what matters here than chance would put into it.
    fn text() -> impl Strategy<Value = String> {
        let special = prop_oneof![
            proptest::char::range('\0', '\u{9f}'),
            proptest::char::range('\u{2020}', '\u{206f}'),
            Just('𝄞'),
            proptest::char::any(),
        ];
        proptest::collection::vec(special, 0..200).prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #[test]
        fn nothing_that_commands_a_terminal_or_a_chat_is_left_and_all_else_stays(text in text()) {
            let shown = visible(&text);
            prop_assert!(!shown.chars().any(commands), "{shown:?}");
            prop_assert_eq!(shown.encode_utf16().count(), text.encode_utf16().count());
            prop_assert_eq!(shown.chars().count(), text.chars().count());
            for (before, after) in text.chars().zip(shown.chars()) {
                prop_assert_eq!(before != after, commands(before));
            }
            prop_assert_eq!(visible(&shown), shown.clone(), "shown again it is the same");
        }

        #[test]
        fn foreign_parts_are_found_where_they_are_said_to_be(ours in text(), parts in proptest::collection::vec(text(), 1..4)) {
            let mut whole = Text::default();
            whole.line(&ours);
            parts.iter().for_each(|part| whole.foreign(part));
            let units: Vec<u16> = whole.text.encode_utf16().collect();
            prop_assert!(!whole.text.chars().any(commands));
            let found: Vec<String> =
                whole.pre.iter().map(|(at, n)| String::from_utf16_lossy(&units[*at..at + n])).collect();
            let expected: Vec<String> = parts.iter().filter(|p| !p.is_empty()).map(|p| visible(p)).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn signs_say_what_they_stand_for() {
        assert_eq!(visible("a\x1b[2Jb\x07\0\x7f\r\n\tc"), "a␛[2Jb␇␀␡␍\n\tc");
        assert_eq!(visible("pay \u{202e}000\u{2066}1\u{9b}31m é 𝄞"), "pay \u{fffd}000\u{fffd}1\u{fffd}31m é 𝄞");
        assert_eq!(short("\x1b]0;title\x07", 80), "␛]0;title␇");
    }
}
