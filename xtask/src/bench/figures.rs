//! What a bench prints as JSON, one figure a line, as figures of the ledger.

use mainstay_metric::ledger::{Figure, Line, Step};
use serde::Deserialize;

/// A line of a bench.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Printed {
    Measured(Measured),
    LeftOut {
        /// What could not be measured here: a peer that is not installed.
        left_out: String,
    },
}

/// A figure, round by round.
#[derive(Debug, Deserialize)]
struct Measured {
    what: String,
    unit: String,
    ours: Vec<f64>,
    floor: Vec<f64>,
    wanted: Option<String>,
    met: Option<bool>,
    counted: bool,
}

/// Reads all of it.
pub(crate) fn read(text: &str) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match serde_json::from_str(line).map_err(|error| format!("a bench printed {line}: {error}"))? {
            Printed::Measured(measured) => lines.extend(measured.lines()?),
            // Whether others are installed says nothing about us: it is in the file that is attached, and no line.
            Printed::LeftOut { left_out } => eprintln!("bench: {left_out} is not installed, and left out"),
        }
    }
    Ok(lines)
}

impl Measured {
    /// The figure; and of something that is counted, whether its target is met, which is no matter of the machine.
    fn lines(self) -> Result<Vec<Line>, String> {
        let figure = self.figure()?;
        let mut lines = Vec::new();
        if self.counted {
            let seen =
                format!("{:.2} {}, wanted {}", figure.ours, figure.unit, figure.wanted.as_deref().unwrap_or("-"));
            lines.push(Line::Step(Step { name: figure.what.clone(), held: figure.met, seen }));
        }
        lines.insert(0, Line::Figure(figure));
        Ok(lines)
    }

    fn figure(&self) -> Result<Figure, String> {
        let sorted = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values
        };
        let middle = |values: &[f64]| values.get(values.len() / 2).copied();
        let ours = middle(&sorted(self.ours.clone())).ok_or_else(|| format!("{}: measured in no round", self.what))?;
        let ratios = sorted(self.ours.iter().zip(&self.floor).map(|(ours, floor)| ours / floor).collect());
        let ratio = match (ratios.first(), middle(&ratios), ratios.last()) {
            (Some(least), Some(middle), Some(most)) => Some([middle, *least, *most]),
            (_, _, _) => None,
        };
        if ratio.iter().flatten().chain([&ours]).any(|number| !number.is_finite()) {
            return Err(format!("{}: a figure that is no number", self.what));
        }
        let floor = middle(&sorted(self.floor.clone()));
        let (what, unit, wanted) = (self.what.clone(), self.unit.clone(), self.wanted.clone());
        Ok(Figure { what, unit, ours, floor, ratio, wanted, met: self.met })
    }
}

/// The figures among lines.
pub(crate) fn figures(lines: &[Line]) -> Vec<Figure> {
    lines.iter().filter_map(|line| if let Line::Figure(figure) = line { Some(figure.clone()) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(ours: &str, floor: &str, met: &str, counted: bool) -> String {
        format!(
            r#"{{"target":"3","what":"x","unit":"us","ours":{ours},"floor":{floor},"ratio":[],"judged":null,"wanted":"≤ 2 ×","met":{met},"counted":{counted}}}"#
        )
    }

    #[test]
    fn a_figure_is_the_median_with_the_lowest_and_highest_ratio_of_a_round() {
        let lines = read(&line("[30.0,10.0,20.0]", "[10.0,10.0,10.0]", "true", false)).expect("a figure");
        let [figure] = &figures(&lines)[..] else { panic!("{lines:?}") };
        assert_eq!((figure.ours, figure.floor, figure.ratio), (20.0, Some(10.0), Some([2.0, 1.0, 3.0])));
        assert_eq!(lines.len(), 1, "what is timed is no step");
    }

    #[test]
    fn a_counted_figure_that_misses_its_target_is_a_step_that_does_not_hold() {
        for (met, held) in [("true", Some(true)), ("false", Some(false))] {
            let lines = read(&line("[2.0]", "[]", met, true)).expect("a figure");
            let [Line::Figure(_), Line::Step(step)] = &lines[..] else { panic!("{lines:?}") };
            assert_eq!(step.held, held);
        }
    }

    #[test]
    fn nothing_measured_is_an_error_and_what_is_left_out_is_none() {
        assert!(read(&line("[]", "[]", "null", false)).is_err());
        assert!(read(&line("[1.0]", "[0.0]", "null", false)).is_err());
        assert!(read("not JSON").is_err());
        assert_eq!(read(r#"{"left_out":"nq","why":"it is not installed"}"#), Ok(Vec::new()));
    }
}
