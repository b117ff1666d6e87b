//! Figures as people read them. Decimal strings stay exact: a bound just below a target must not be rounded onto it.

/// A decimal string with its unit.
pub(super) fn value(text: &str, unit: &str) -> String {
    match unit {
        "share" => percent(text),
        "1" | "" => text.to_owned(),
        _ => format!("{text} {unit}"),
    }
}

/// `0.98996` as `98.996 %`: the point is moved, nothing is rounded.
fn percent(text: &str) -> String {
    let (sign, plain) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, rest) = plain.split_once('.').unwrap_or((plain, ""));
    let is_number = !whole.is_empty() && whole.bytes().chain(rest.bytes()).all(|b| b.is_ascii_digit());
    if !is_number {
        return text.to_owned();
    }
    let padded = format!("{rest:0<2}");
    let (moved, rest) = padded.split_at(2);
    let whole = format!("{whole}{moved}");
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let rest = rest.trim_end_matches('0');
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{rest} %")
}

/// `31844` as `31,844`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let head = digits.len() % 3;
    let mut text = digits[..head].to_owned();
    for at in (head..digits.len()).step_by(3) {
        if !text.is_empty() {
            text.push(',');
        }
        text += &digits[at..at + 3];
    }
    text
}

/// Milliseconds in the unit that fits.
pub(super) fn span(ms: i64) -> String {
    let tenths = |ms: i64, of: i64, unit: &str| {
        let tenths = ms * 10 / of;
        if tenths % 10 == 0 {
            format!("{} {unit}", tenths / 10)
        } else {
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
    };
    match ms {
        i64::MIN..1_000 => format!("{ms} ms"),
        1_000..60_000 => tenths(ms, 1_000, "s"),
        60_000..3_600_000 => tenths(ms, 60_000, "min"),
        3_600_000..86_400_000 => tenths(ms, 3_600_000, "h"),
        86_400_000..=i64::MAX => tenths(ms, 86_400_000, "days"),
    }
}

/// A measured figure with as many digits as matter.
pub(super) fn measured(x: f64) -> String {
    match x.abs() {
        0.0 => "0".to_owned(),
        a if a >= 1_000.0 => {
            let rounded = format!("{x:.0}");
            rounded.parse().map_or(rounded, count)
        }
        a if a >= 100.0 => format!("{x:.0}"),
        a if a >= 10.0 => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    }
}

/// One of how many, with the word in the right number.
pub(super) fn of(n: u64, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{} {word}s", count(n)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_just_below_its_target_does_not_look_like_it() {
        for (text, expected) in [
            ("0.98996", "98.996 %"),
            ("0.990", "99 %"),
            ("1.00000", "100 %"),
            ("1", "100 %"),
            ("0", "0 %"),
            ("0.00009", "0.009 %"),
            ("0.5", "50 %"),
            ("-0.125", "-12.5 %"),
            ("n/a", "n/a"),
        ] {
            assert_eq!(value(text, "share"), expected);
        }
        assert_eq!(value("0.71", "min"), "0.71 min");
        assert_eq!(value("95", "1"), "95");
    }

    #[test]
    fn counts_and_spans() {
        for (n, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (9_412_330, "9,412,330")] {
            assert_eq!(count(n), expected);
        }
        for (ms, expected) in
            [(340, "340 ms"), (1_500, "1.5 s"), (60_000, "1 min"), (5_400_000, "1.5 h"), (864_000_000, "10 days")]
        {
            assert_eq!(span(ms), expected);
        }
        for (x, expected) in [(0.0, "0"), (0.526, "0.53"), (27_755.2, "27,755"), (440.4, "440"), (12.34, "12.3")] {
            assert_eq!(measured(x), expected);
        }
    }
}
