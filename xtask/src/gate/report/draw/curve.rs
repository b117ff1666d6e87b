//! How long it took until things went through again: for each time, the share of faults that were over by then. What never
//! went through is the gap at the top, and said in words.

use super::at;
use maud::{Markup, html};

/// Several of them stand side by side.
const WIDTH: f64 = 250.0;
const LEFT: f64 = 30.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 112.0;
/// Ends of the axis, ms: it is logarithmic, because both a blip and ten minutes have to be seen.
const FROM: f64 = 50.0;
const TO: f64 = 1_200_000.0;
/// In time until here, ms.
const LIMIT: f64 = 600_000.0;
const LINES: [(f64, &str); 6] =
    [(100.0, "0.1 s"), (1_000.0, "1 s"), (10_000.0, "10 s"), (60_000.0, ""), (LIMIT, "10 min"), (FROM, "")];
/// More points than these can't be told apart.
const POINTS: usize = 120;

/// What a curve is of.
pub(in crate::gate::report) struct Curve<'a> {
    /// The class.
    pub(in crate::gate::report) name: &'a str,
    /// Times in order, ms.
    pub(in crate::gate::report) times: &'a [i64],
    /// So many never got through.
    pub(in crate::gate::report) lost: u64,
}

fn x(ms: f64) -> f64 {
    let share = (ms.clamp(FROM, TO) / FROM).ln() / (TO / FROM).ln();
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

fn y(share: f64) -> f64 {
    BOTTOM - share * (BOTTOM - TOP)
}

/// Draws it.
#[expect(clippy::cast_precision_loss, reason = "places on a screen")]
pub(in crate::gate::report) fn curve(curve: &Curve<'_>) -> Markup {
    let Curve { name, times, lost } = curve;
    let all = times.len() as f64 + *lost as f64;
    let reached = if all > 0.0 { times.len() as f64 / all } else { 0.0 };
    let path = path(times, all);
    let class = if *lost > 0 { "line off" } else { "line" };
    html! {
        svg.curve viewBox={ "0 0 " (at(WIDTH)) " 132" } role="img" aria-label={ "recovery times of " (name) } {
            rect.zone x=(at(LEFT)) y=(at(TOP)) width=(at(x(LIMIT) - LEFT)) height=(at(BOTTOM - TOP)) {}
            @for (ms, label) in LINES {
                line.grid x1=(at(x(ms))) x2=(at(x(ms))) y1=(at(TOP)) y2=(at(BOTTOM)) {}
                text.soft.middle x=(at(x(ms))) y="125" { (label) }
            }
            @for (share, label) in [(0.0, "0"), (0.5, "50 %"), (0.95, "95"), (1.0, "")] {
                line.grid x1=(at(LEFT)) x2=(at(WIDTH - RIGHT)) y1=(at(y(share))) y2=(at(y(share))) {}
                text.soft.end x=(at(LEFT - 4.0)) y=(at(y(share) + 3.5)) { (label) }
            }
            line.target x1=(at(x(LIMIT))) x2=(at(x(LIMIT))) y1=(at(TOP)) y2=(at(BOTTOM)) {}
            path.(class) d=(path) {}
            @if *lost > 0 {
                rect.lost x=(at(x(LIMIT))) y=(at(TOP)) width=(at(WIDTH - RIGHT - x(LIMIT))) height=(at((y(reached) - TOP).max(3.0))) {
                    title { (lost) " of " (all) " never" }
                }
                path.cross d={ "M" (at(WIDTH - RIGHT - 12.0)) " " (at(y(reached) - 4.0)) "l8 8m0-8l-8 8" } {}
            }
        }
    }
}

/// Steps from 0 upwards, to where the last one got through.
#[expect(clippy::cast_precision_loss, reason = "places on a screen")]
fn path(times: &[i64], all: f64) -> String {
    let mut path = format!("M{} {}", at(LEFT), at(y(0.0)));
    let every = times.len().div_ceil(POINTS).max(1);
    for (n, ms) in times.iter().enumerate() {
        if (n + 1) % every == 0 || n + 1 == times.len() {
            path += &format!("H{}V{}", at(x(*ms as f64)), at(y((n + 1) as f64 / all)));
        }
    }
    path + &format!("H{}", at(WIDTH - RIGHT))
}
