//! Figures: each a series over rounds, ours beside the floor of the same round.

use serde_json::{Value, json};
use std::time::Duration;

/// How a figure is judged.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// Ours divided by the floor's at most.
    RatioAtMost(f64),
    /// Ours divided by the floor's at least.
    RatioAtLeast(f64),
    /// Ours at most, in its unit.
    AtMost(f64),
    /// The same of something that is counted, not timed: the machine and who else uses it have no part in it, so a gate holds it
    /// against the program.
    CountedAtMost(f64),
    /// Only told.
    None,
}

/// One figure.
pub(crate) struct Figure {
    pub(crate) number: &'static str,
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) ours: Vec<f64>,
    /// The floor of the same rounds; empty when there is none.
    pub(crate) floor: Vec<f64>,
    pub(crate) target: Target,
}

impl Figure {
    /// The median over the rounds of what was measured in each.
    fn value(&self) -> f64 {
        median(&self.ours)
    }

    /// Ratios of the rounds, lowest first.
    fn ratios(&self) -> Vec<f64> {
        let mut ratios: Vec<f64> = self.ours.iter().zip(&self.floor).map(|(ours, floor)| ours / floor).collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }

    fn judged(&self) -> Option<f64> {
        match self.target {
            Target::RatioAtMost(_) | Target::RatioAtLeast(_) => Some(median(&self.ratios())),
            Target::AtMost(_) | Target::CountedAtMost(_) => Some(self.value()),
            Target::None => None,
        }
    }

    pub(crate) fn met(&self) -> Option<bool> {
        let judged = self.judged()?;
        match self.target {
            Target::RatioAtMost(most) | Target::AtMost(most) | Target::CountedAtMost(most) => Some(judged <= most),
            Target::RatioAtLeast(least) => Some(judged >= least),
            Target::None => None,
        }
    }

    /// What is wanted, in words.
    fn wanted(&self) -> Option<String> {
        match self.target {
            Target::RatioAtMost(most) => Some(format!("≤ {most} ×")),
            Target::RatioAtLeast(least) => Some(format!("≥ {least} ×")),
            Target::AtMost(most) | Target::CountedAtMost(most) => Some(format!("≤ {most} {}", self.unit)),
            Target::None => None,
        }
    }

    /// A row of the table.
    pub(crate) fn row(&self) -> String {
        let floor = if self.floor.is_empty() { String::new() } else { show(median(&self.floor)) };
        let ratios = self.ratios();
        let ratio = match (ratios.first(), ratios.last()) {
            (Some(least), Some(most)) if ratios.len() > 1 => {
                format!("{:.2} ({least:.2}–{most:.2})", median(&ratios))
            }
            (Some(only), _) => format!("{only:.2}"),
            (None, _) => String::new(),
        };
        let target = self.wanted().unwrap_or_default();
        let met = self.met().map_or("", |met| if met { "yes" } else { "**no**" });
        let (number, what, unit) = (self.number, &self.what, self.unit);
        format!("| {number} | {what} | {} {unit} | {floor} | {ratio} | {target} | {met} |", show(self.value()))
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "target": self.number, "what": self.what, "unit": self.unit, "ours": self.ours, "floor": self.floor,
            "ratio": self.ratios(), "judged": self.judged(), "wanted": self.wanted(), "met": self.met(),
            "counted": matches!(self.target, Target::CountedAtMost(_)),
        })
    }
}

/// The table's head.
pub(crate) const HEAD: &str = "| target | figure | ours | floor | ratio (rounds) | wanted | met |\n\
                        | --- | --- | --- | --- | --- | --- | --- |";

fn show(value: f64) -> String {
    match value {
        v if v >= 1_000.0 => {
            let whole = format!("{v:.0}");
            let (head, tail) = whole.split_at(whole.len() - 3);
            format!("{head},{tail}")
        }
        v if v >= 10.0 => format!("{v:.0}"),
        v => format!("{v:.2}"),
    }
}

/// The middle value; of an even number the upper one.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 50.0)
}

/// The value that `percent` of all do not exceed.
pub(crate) fn percentile(values: &[f64], percent: f64) -> f64 {
    assert!(!values.is_empty(), "a percentile of nothing");
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() as f64 * percent / 100.0) as usize;
    sorted[place.min(sorted.len() - 1)]
}

/// Microseconds.
pub(crate) fn us(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
