//! Lengths of time and amounts, as people write them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A length of time, written like `250ms`, `30s`, `10m`, `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub u64);

impl Span {
    /// In ms.
    pub fn ms(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX / 4)
    }
}

impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Span, String> {
        let wrong = || format!("{text:?} is no length of time");
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
        let unit = match &text[digits..] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        number.checked_mul(unit).filter(|ms| *ms <= LONGEST_MS).map(Span).ok_or_else(wrong)
    }
}

/// No scenario needs more, and sums of a few never overflow.
const LONGEST_MS: u64 = 400 * 24 * 3_600_000;

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        match units.into_iter().find(|(size, _)| self.0 > 0 && self.0.is_multiple_of(*size)) {
            Some((size, name)) => write!(f, "{}{name}", self.0 / size),
            None => write!(f, "{}ms", self.0),
        }
    }
}

/// How many: a number, `"at least 2"`, `"at most 3"`, or `"2 to 3"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// So many at least.
    pub least: u64,
    /// So many at most, if there is a limit.
    pub most: Option<u64>,
}

impl Amount {
    /// Whether it is as many.
    pub fn holds(self, n: u64) -> bool {
        self.least <= n && self.most.is_none_or(|most| n <= most)
    }

    fn exactly(n: u64) -> Amount {
        Amount { least: n, most: Some(n) }
    }
}

impl FromStr for Amount {
    type Err = String;
    fn from_str(text: &str) -> Result<Amount, String> {
        let wrong = || format!("{text:?} is no amount");
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
        if let Some(rest) = text.strip_prefix("at least ") {
            return Ok(Amount { least: number(rest)?, most: None });
        }
        if let Some(rest) = text.strip_prefix("at most ") {
            return Ok(Amount { least: 0, most: Some(number(rest)?) });
        }
        if let Some((least, most)) = text.split_once(" to ") {
            let (least, most) = (number(least)?, number(most)?);
            return if least <= most { Ok(Amount { least, most: Some(most) }) } else { Err(wrong()) };
        }
        number(text).map(Amount::exactly)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (least, None) => write!(f, "at least {least}"),
            (least, Some(most)) if least == most => write!(f, "{least}"),
            (0, Some(most)) => write!(f, "at most {most}"),
            (least, Some(most)) => write!(f, "{least} to {most}"),
        }
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.most {
            Some(most) if most == self.least => s.serialize_u64(most),
            Some(_) | None => s.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Words(String),
        }
        match Written::deserialize(d)? {
            Written::Number(n) => Ok(Amount::exactly(n)),
            Written::Words(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(super) use as_text;

as_text! { Span }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written_alike() {
        for text in ["0ms", "250ms", "30s", "10m", "2h"] {
            assert_eq!(text.parse::<Span>().map(|span| span.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "5", "s", "1d", "-1s", "1.5s", "99999999999999999999h", "5124095576030h"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_are_read_and_written_alike() {
        for text in ["0", "3", "at least 1", "at most 2", "2 to 3"] {
            assert_eq!(text.parse::<Amount>().map(|amount| amount.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "some", "at least", "3 to 2", "-1", "at most x"] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
        let amount: Amount = "2 to 3".parse().expect("an amount");
        assert_eq!([1, 2, 3, 4].map(|n| amount.holds(n)), [false, true, true, false]);
    }
}
