//! Ids and time, each a type of its own: a chat's id and a user's id look alike and are not the same thing.

use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )* };
}

ids! {
    /// A bot: the number in front of the colon of its token.
    BotId,
    /// A person.
    UserId,
    /// A chat: a person's own id, or a negative number for groups and channels.
    ChatId,
    /// A message within its chat.
    MessageId,
    /// An update within its bot's queue.
    UpdateId,
}

impl BotId {
    /// The bot whose token this could be; none if it does not even look like a token.
    #[must_use]
    pub fn of_token(token: &str) -> Option<Self> {
        let (id, secret) = token.split_once(':')?;
        let is_plausible = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let digits = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
        let letters = !secret.is_empty() && secret.bytes().all(is_plausible);
        if digits && letters { id.parse().ok().map(Self) } else { None }
    }
}

/// A press of a button: `callback_query.id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct PressId(pub String);

/// A moment, or a span: milliseconds, as a moment since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// So many seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Whole seconds, as dates in messages have them.
    #[must_use]
    pub const fn secs(self) -> u64 {
        self.0 / 1000
    }

    /// This much later.
    #[must_use]
    pub const fn plus(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The span since an earlier moment; zero if that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

/// The next number of a SplitMix64 sequence: a page of code instead of a dependency, and the same on every machine.
pub(super) fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
