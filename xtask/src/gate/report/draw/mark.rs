//! Verdicts as shapes: who sees no colours sees these.

use crate::gate::probes::Found;
use mainstay_metric::scorecard::Outcome;
use maud::{Markup, html};

/// The shapes, once a page; [`mark`] uses them.
pub(in crate::gate::report) fn symbols() -> Markup {
    html! {
        svg.symbols aria-hidden="true" width="0" height="0" {
            symbol #yes viewBox="0 0 20 20" {
                circle.fill cx="10" cy="10" r="9.5" {}
                path.sign d="M5.5 10.5l3 3 6-7" {}
            }
            symbol #no viewBox="0 0 20 20" {
                path.fill d="M6 .5h8l5.5 5.5v8l-5.5 5.5h-8L.5 14V6z" {}
                path.sign d="M6.5 6.5l7 7m0-7l-7 7" {}
            }
            symbol #open viewBox="0 0 20 20" {
                path.fill d="M10 0l10 10-10 10L0 10z" {}
                path.sign d="M7.4 7.8c.2-3.4 5.4-3.2 5.2-.2-.1 1.8-2.5 1.9-2.5 3.9m0 2.6v.3" {}
            }
        }
    }
}

/// A verdict as a shape, with its word for who reads with the ears.
pub(in crate::gate::report) fn mark(found: Found) -> Markup {
    let (id, word) = match found {
        Found::Yes => ("yes", "yes"),
        Found::No => ("no", "no"),
        Found::Unknown => ("open", "not known"),
    };
    html! {
        svg.mark.(id) viewBox="0 0 20 20" role="img" aria-label=(word) { use href={ "#" (id) } {} }
    }
}

/// What a verdict is in shapes, and its name as a class of the style sheet.
pub(in crate::gate::report) fn outcome(outcome: Outcome) -> (Found, &'static str, &'static str) {
    match outcome {
        Outcome::Pass => (Found::Yes, "yes", "PASS"),
        Outcome::Fail => (Found::No, "no", "FAIL"),
        Outcome::Inconclusive => (Found::Unknown, "open", "INCONCLUSIVE"),
    }
}
