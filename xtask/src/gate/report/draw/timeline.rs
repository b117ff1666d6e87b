//! A drill: what happened when, from left to right.

use super::at;
use crate::gate::report::number;
use maud::{Markup, html};

/// Several of them stand side by side.
const WIDTH: f64 = 250.0;
const SIDE: f64 = 6.0;
/// Between the rows of words, and where the first one stands.
const ROW: f64 = 13.0;
const FIRST: f64 = 34.0;
/// Of a letter, about.
const LETTER: f64 = 5.6;

/// Draws moments, in order.
#[expect(clippy::cast_precision_loss, reason = "places on a screen")]
pub(in crate::gate::report) fn timeline(moments: &[(String, i64)]) -> Markup {
    let last = moments.iter().map(|(_, ms)| *ms).max().unwrap_or(0).max(1) as f64;
    let x = |ms: i64| SIDE + ms.max(0) as f64 / last * (WIDTH - 2.0 * SIDE);
    let height = FIRST + ROW * moments.len() as f64;
    html! {
        svg.timeline viewBox={ "0 0 " (at(WIDTH)) " " (at(height)) } role="img" aria-label="timeline of a drill" {
            line.grid x1=(at(SIDE)) x2=(at(WIDTH - SIDE)) y1="14" y2="14" {}
            @for (n, (what, ms)) in moments.iter().enumerate() {
                @let words = format!("{what} {}", number::span(*ms));
                @let y = FIRST + ROW * n as f64;
                @let right = x(*ms) + words.chars().count() as f64 * LETTER > WIDTH;
                line.thread x1=(at(x(*ms))) x2=(at(x(*ms))) y1="14" y2=(at(y - 9.0)) {}
                circle.found cx=(at(x(*ms))) cy="14" r="4" {}
                text.(if right { "end" } else { "start" }) x=(at(x(*ms))) y=(at(y)) { (words) }
            }
        }
    }
}
