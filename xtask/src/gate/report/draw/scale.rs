//! A metric on its scale: where the target is, on which side is good, what was found, and how sure that is.

use super::{WIDTH, at};
use crate::gate::report::number;
use mainstay_metric::scorecard::{Comparison, Measured, Outcome};
use maud::{Markup, html};

const LEFT: f64 = 10.0;
const LINE: f64 = 34.0;

/// Draws it; nothing where nothing was seen.
pub(in crate::gate::report) fn scale(metric: &Measured) -> Option<Markup> {
    let parse = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<f64>().ok());
    let (estimate, bound) = (parse(&metric.estimate)?, parse(&metric.bound)?);
    let target: f64 = metric.target.parse().ok()?;
    let (low, high) = ends(metric, [estimate, bound, target]);
    let x = |value: f64| LEFT + (value.clamp(low, high) - low) / (high - low) * (WIDTH - 2.0 * LEFT);
    let good = match metric.comparison {
        Comparison::AtLeast => (x(target), x(high)),
        Comparison::AtMost => (x(low), x(target)),
    };
    // By the verdict: where any case at all is one too many, a bound says how rare they can be and decides nothing.
    let sure = match metric.outcome {
        Outcome::Pass => "sure",
        Outcome::Inconclusive => "sure few",
        Outcome::Fail => "sure off",
    };
    let label = |value: f64| number::value(&short(value), &metric.unit);
    let (from, to) = (x(estimate).min(x(bound)), x(estimate).max(x(bound)));
    let said = format!("{} on a scale from {} to {}", metric.title, label(low), label(high));
    let side = if x(target) > WIDTH / 2.0 { "end" } else { "start" };
    Some(html! {
        svg.scale viewBox={ "0 0 " (at(WIDTH)) " 60" } role="img" aria-label=(said) {
            rect.track x=(at(LEFT)) y=(at(LINE - 7.0)) width=(at(WIDTH - 2.0 * LEFT)) height="14" rx="3" {}
            rect.good x=(at(good.0)) y=(at(LINE - 7.0)) width=(at((good.1 - good.0).max(1.5))) height="14" rx="3" {}
            line.target x1=(at(x(target))) x2=(at(x(target))) y1="16" y2=(at(LINE + 10.0)) {}
            text.(side) x=(at(x(target))) y="12" { "target " (number::value(&metric.target, &metric.unit)) }
            line.(sure) x1=(at(from)) x2=(at(to)) y1=(at(LINE)) y2=(at(LINE)) {}
            line.(sure) x1=(at(x(bound))) x2=(at(x(bound))) y1=(at(LINE - 6.0)) y2=(at(LINE + 6.0)) {}
            circle.found cx=(at(x(estimate))) cy=(at(LINE)) r="4.5" {
                title { "estimate " (label(estimate)) ", bound " (label(bound)) }
            }
            text.soft.start x=(at(LEFT)) y="57" { (label(low)) }
            text.soft.end x=(at(WIDTH - LEFT)) y="57" { (label(high)) }
        }
    })
}

/// The ends of the scale: what is drawn has to be apart, and a share ends where shares end.
fn ends(metric: &Measured, drawn: [f64; 3]) -> (f64, f64) {
    let least = drawn.into_iter().fold(f64::INFINITY, f64::min);
    let most = drawn.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = match (metric.comparison, metric.unit.as_str()) {
        (Comparison::AtLeast, "share") => (1.0 - (1.0 - least) * 1.5, 1.0),
        (Comparison::AtLeast, _) => (least - (most - least).max(most.abs() * 0.02) * 0.5, most * 1.02),
        (Comparison::AtMost, "share") => (0.0, (most * 1.4).min(1.0)),
        (Comparison::AtMost, _) => (0.0, most * 1.25),
    };
    // Everything in one place: a scale must still have a length.
    match metric.comparison {
        Comparison::AtLeast | Comparison::AtMost if high - low > 1e-9 => (low, high),
        Comparison::AtLeast => (high - 0.01, high),
        Comparison::AtMost => (low, low + 1.0),
    }
}

fn short(value: f64) -> String {
    let digits = if value.abs() >= 10.0 { 1 } else { 5 };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// How much was looked at, of the least that decides.
pub(in crate::gate::report) fn enough(sample: u64, least: u64) -> Markup {
    #[expect(clippy::cast_precision_loss, reason = "a place on a screen")]
    let share = if least == 0 { 1.0 } else { (sample as f64 / least as f64).min(1.0) };
    let class = if sample >= least { "full" } else { "part" };
    html! {
        svg.enough viewBox={ "0 0 " (at(WIDTH)) " 6" } preserveAspectRatio="none" aria-hidden="true" {
            rect.track width=(at(WIDTH)) height="6" rx="3" {}
            rect.(class) width=(at(share * WIDTH)) height="6" rx="3" {}
        }
    }
}
