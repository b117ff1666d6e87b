//! Drawings, as SVG inside the page. Made for a phone first: 340 wide, so that their words can still be read there.

mod curve;
mod mark;
mod ratio;
mod scale;
mod timeline;

pub(super) use curve::{Curve, curve};
pub(super) use mark::{mark, outcome, symbols};
pub(super) use ratio::{Axis, ratio};
pub(super) use scale::{enough, scale};
pub(super) use timeline::timeline;

/// Width of every drawing, in its own units.
const WIDTH: f64 = 340.0;

/// A number for an attribute: two digits are finer than any screen.
fn at(x: f64) -> String {
    let text = format!("{x:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
