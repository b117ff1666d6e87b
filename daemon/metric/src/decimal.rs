//! Numbers as they are published: whole units of the last digit, rounded towards failing, so that what is printed is what was
//! compared, and nobody's formatting can lift a bound over its target.

use crate::scorecard::Comparison;
use crate::stats::Part;

/// What is measured, and with how many digits it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share, from 0 to 1.
    Share,
    /// Minutes.
    Minutes,
    /// Points of a hundred.
    Points,
}

impl Unit {
    /// As the scorecard names it.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Share => "share",
            Unit::Minutes => "min",
            Unit::Points => "1",
        }
    }

    /// Digits behind the point.
    pub const fn digits(self) -> u32 {
        match self {
            Unit::Share => 6,
            Unit::Minutes => 3,
            Unit::Points => 2,
        }
    }

    /// Units of the last digit in one.
    const fn scale(self) -> u64 {
        10_u64.pow(self.digits())
    }

    /// `units` of the last digit as text.
    pub fn text(self, units: u64) -> String {
        let (whole, rest) = (units / self.scale(), units % self.scale());
        format!("{whole}.{rest:0width$}", width = self.digits() as usize)
    }

    /// A quotient in units of the last digit, exact up to the rounding. Nothing over nothing is as bad as can be.
    pub fn of(self, part: Part, better: Comparison) -> u64 {
        let (sum, of) = (u128::from(part.sum) * u128::from(self.scale()), u128::from(part.of));
        let units = match better {
            _ if of == 0 => u128::from(worst(better)),
            Comparison::AtLeast => sum / of,
            Comparison::AtMost => sum.div_ceil(of),
        };
        u64::try_from(units).unwrap_or(u64::MAX)
    }

    /// A number that is not negative, in units of the last digit.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a float to a count: it saturates"
    )]
    pub fn near(self, value: f64, better: Comparison) -> u64 {
        let scaled = value * self.scale() as f64;
        match better {
            Comparison::AtLeast => scaled.floor() as u64,
            Comparison::AtMost => scaled.ceil() as u64,
        }
    }
}

/// No number is worse.
const fn worst(better: Comparison) -> u64 {
    match better {
        Comparison::AtLeast => 0,
        Comparison::AtMost => u64::MAX,
    }
}

impl Comparison {
    /// Whether `value` is on the good side of `target`.
    pub const fn holds(self, value: u64, target: u64) -> bool {
        match self {
            Comparison::AtLeast => value >= target,
            Comparison::AtMost => value <= target,
        }
    }

    /// The one of two that is farther from good.
    pub fn worse(self, a: u64, b: u64) -> u64 {
        match self {
            Comparison::AtLeast => a.min(b),
            Comparison::AtMost => a.max(b),
        }
    }

    /// As it is written.
    pub const fn sign(self) -> &'static str {
        match self {
            Comparison::AtLeast => ">=",
            Comparison::AtMost => "<=",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_never_helps() {
        let third = Part { sum: 1, of: 3 };
        assert_eq!(Unit::Share.text(Unit::Share.of(third, Comparison::AtLeast)), "0.333333");
        assert_eq!(Unit::Share.text(Unit::Share.of(third, Comparison::AtMost)), "0.333334");
        assert_eq!(Unit::Share.near(0.989_999_9, Comparison::AtLeast), 989_999);
        assert_eq!(Unit::Minutes.text(Unit::Minutes.near(9.9991, Comparison::AtMost)), "10.000");
        assert_eq!(Unit::Points.text(9_500), "95.00");
        // What is exact stays so.
        assert_eq!(Unit::Share.of(Part { sum: 19, of: 20 }, Comparison::AtLeast), 950_000);
        assert_eq!(Unit::Share.of(Part { sum: 19, of: 20 }, Comparison::AtMost), 950_000);
    }

    #[test]
    fn nothing_of_nothing_is_no_success() {
        assert_eq!(Unit::Share.of(Part::default(), Comparison::AtLeast), 0);
        assert_eq!(Unit::Minutes.of(Part::default(), Comparison::AtMost), u64::MAX);
    }
}
