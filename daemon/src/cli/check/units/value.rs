//! What the values of a unit mean: time spans, words, commands, paths.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Units of time as systemd names them, in microseconds.
const SPANS: [(&[&str], u64); 8] = [
    (&["us", "usec", "µs", "μs"], 1),
    (&["ms", "msec"], 1_000),
    (&["", "s", "sec", "second", "seconds"], 1_000_000),
    (&["m", "min", "minute", "minutes"], 60_000_000),
    (&["h", "hr", "hour", "hours"], 3_600_000_000),
    (&["d", "day", "days"], 86_400_000_000),
    (&["w", "week", "weeks"], 604_800_000_000),
    (&["M", "month", "months"], 2_629_800_000_000),
];

/// A time span such as `90`, `1min 30s` or `infinity`, which is the longest there is; none when it is no span.
pub(super) fn span(text: &str) -> Option<Duration> {
    if text == "infinity" {
        return Some(Duration::MAX);
    }
    let mut rest = text.trim();
    let mut micros = 0_u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().ok()?;
        let after = rest[digits..].trim_start();
        let letters = after.len() - after.trim_start_matches(char::is_alphabetic).len();
        let (_, one) = SPANS.iter().find(|(names, _)| names.contains(&&after[..letters]))?;
        micros = micros.saturating_add(number.saturating_mul(*one));
        rest = after[letters..].trim_start();
    }
    Some(Duration::from_micros(micros))
}

/// Splits at white space, but not within quotes, which go; a backslash keeps what follows it.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) => {
                let kept = word.get_or_insert_default();
                kept.extend(match chars.next() {
                    Some('s') => Some(' '),
                    other => other,
                });
            }
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// A command line of a unit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// It may fail (`-`).
    pub(super) may_fail: bool,
    /// It runs as root, whatever the unit's user is (`+`, `!`).
    pub(super) as_root: bool,
    /// The program; none where its name can only be known when it runs.
    pub(super) program: Option<PathBuf>,
    pub(super) args: Vec<String>,
}

/// Reads one; none when there is nothing to run.
pub(super) fn command(text: &str) -> Option<Command> {
    let bare = text.trim_start_matches(['@', '-', ':', '+', '!', '|']);
    let marks = &text[..text.len() - bare.len()];
    let mut words = words(bare).into_iter();
    let program = words.next()?;
    if marks.contains('@') {
        // What the process calls itself.
        words.next();
    }
    let program = plain(&program).map(|name| in_search_path(&name));
    Some(Command { may_fail: marks.contains('-'), as_root: marks.contains(['+', '!']), program, args: words.collect() })
}

/// Where systemd looks for a program that is named without a path.
fn in_search_path(name: &str) -> PathBuf {
    let path = PathBuf::from(name);
    if path.is_absolute() {
        return path;
    }
    let places = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    places.iter().map(|place| Path::new(place).join(name)).find(|path| path.exists()).unwrap_or(path)
}

/// A path that has to be there, unless a `-` before it says that it need not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Needed {
    /// Where.
    pub(super) path: PathBuf,
    /// It may be missing.
    pub(super) optional: bool,
}

/// Reads one; none where it can only be known when the unit runs, or is not in the file system.
pub(super) fn path(word: &str) -> Option<Needed> {
    let bare = word.trim_start_matches(['-', '+']);
    let optional = word[..word.len() - bare.len()].contains('-');
    let path = PathBuf::from(plain(bare)?);
    path.is_absolute().then_some(Needed { path, optional })
}

/// Without specifiers, of which `%%` alone is known here.
fn plain(word: &str) -> Option<String> {
    let plain = word.replace("%%", "\u{0}");
    (!plain.contains('%')).then(|| plain.replace('\u{0}', "%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_those_of_systemd() {
        for (text, millis) in [
            ("60s", Some(60_000)),
            ("60", Some(60_000)),
            ("1min 30s", Some(90_000)),
            ("1min30s", Some(90_000)),
            ("2 h", Some(7_200_000)),
            ("250ms", Some(250)),
            ("0", Some(0)),
            ("", None),
            ("s", None),
            ("5 parsecs", None),
            ("-5s", None),
        ] {
            assert_eq!(span(text), millis.map(Duration::from_millis), "{text:?}");
        }
        assert_eq!(span("infinity"), Some(Duration::MAX));
    }

    #[test]
    fn words_and_commands_are_split_as_systemd_does() {
        assert_eq!(words(r#"a "b c" 'd "e' f\ g "" h\\"#), ["a", "b c", "d \"e", "f g", "", "h\\"]);
        assert_eq!(words("  "), Vec::<String>::new());
        let expected = |may_fail, as_root, args: &[&str]| Command {
            may_fail,
            as_root,
            program: Some("/a b".into()),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        };
        assert_eq!(command("\"/a b\" run"), Some(expected(false, false, &["run"])));
        assert_eq!(command("-+\"/a b\""), Some(expected(true, true, &[])));
        assert_eq!(command("@\"/a b\" name run"), Some(expected(false, false, &["run"])));
        assert_eq!(command("/opt/%i/x").map(|command| command.program), Some(None));
        assert_eq!(command(""), None);
        assert!(command("sh -c x").and_then(|command| command.program).is_some_and(|path| path.is_absolute()));
    }

    #[test]
    fn paths_say_whether_they_may_be_missing() {
        let needed = |path: &str, optional| Some(Needed { path: path.into(), optional });
        assert_eq!(path("/a"), needed("/a", false));
        assert_eq!(path("-/a"), needed("/a", true));
        assert_eq!(path("-+/a"), needed("/a", true));
        assert_eq!(path("/a%%b"), needed("/a%b", false));
        assert_eq!((path("/a/%i"), path("~"), path("a")), (None, None, None));
    }
}
