//! A ratio to its floor, with the lowest and highest of a round: how noisy the machine was is part of the figure.

use super::{WIDTH, at};
use maud::{Markup, html};

const SIDE: f64 = 8.0;
const LINE: f64 = 12.0;

/// The ends that all ratios of a page share, so that they can be compared.
#[derive(Debug, Clone, Copy)]
pub(in crate::gate::report) struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    /// Wide enough for all of them, with 1 inside.
    pub(in crate::gate::report) fn over<'a>(ratios: impl Iterator<Item = &'a [f64; 3]>) -> Axis {
        let (mut low, mut high) = (0.5_f64, 2.0_f64);
        for value in ratios.flatten().filter(|value| value.is_finite() && **value > 0.0) {
            low = low.min(*value);
            high = high.max(*value);
        }
        Axis { low: low * 0.9, high: high * 1.1 }
    }

    fn x(self, value: f64) -> f64 {
        let share = (value.clamp(self.low, self.high) / self.low).ln() / (self.high / self.low).ln();
        SIDE + share * (WIDTH - 2.0 * SIDE)
    }
}

/// Draws one.
pub(in crate::gate::report) fn ratio([middle, lowest, highest]: [f64; 3], met: Option<bool>, axis: Axis) -> Markup {
    let class = if met == Some(false) { "sure off" } else { "sure" };
    let from = axis.x(lowest);
    let one = axis.x(1.0);
    html! {
        svg.ratio viewBox={ "0 0 " (at(WIDTH)) " 24" } role="img"
            aria-label={ (format!("{middle:.2}")) " of the floor, rounds from " (format!("{lowest:.2}")) " to " (format!("{highest:.2}")) } {
            line.grid x1=(at(SIDE)) x2=(at(WIDTH - SIDE)) y1=(at(LINE)) y2=(at(LINE)) {}
            line.target x1=(at(one)) x2=(at(one)) y1="1" y2="23" {}
            line.(class) x1=(at(from)) x2=(at(axis.x(highest).max(from + 1.5))) y1=(at(LINE)) y2=(at(LINE)) {}
            circle.found cx=(at(axis.x(middle))) cy=(at(LINE)) r="4.5" {
                title { (format!("{middle:.2} ({lowest:.2} to {highest:.2})")) }
            }
        }
    }
}
