//! Figures held against those of an earlier verdict. Only ratios to a floor of the same run can be compared across machines
//! and days, and only where the rounds' intervals do not touch has something changed.

use mainstay_metric::ledger::Figure;
use std::cmp::Ordering;
use std::path::Path;

/// What has changed since then, each as a figure of its own: the ratio now, beside the one then. `since` names the verdict. The
/// first tells how many could be compared, and how many of them got worse; none could: nothing at all.
pub(crate) fn changes(then: &[Figure], now: &[Figure], since: &str) -> Vec<Figure> {
    let pairs: Vec<(&Figure, [f64; 3], [f64; 3])> = now
        .iter()
        .filter_map(|figure| {
            let before = then.iter().find(|before| before.what == figure.what && before.unit == figure.unit)?;
            Some((figure, before.ratio?, figure.ratio?))
        })
        .collect();
    if pairs.is_empty() {
        return Vec::new();
    }
    let changed: Vec<Figure> =
        pairs.iter().filter_map(|(figure, then, now)| change(figure, *then, *now, since)).collect();
    let worse = changed.iter().filter(|change| change.met == Some(false)).count();
    let told = Figure {
        what: format!("worse than in {since}, of {} ratios", pairs.len()),
        unit: String::new(),
        ours: worse as f64,
        floor: None,
        ratio: None,
        wanted: Some("0".into()),
        met: Some(worse == 0),
    };
    std::iter::once(told).chain(changed).collect()
}

fn change(figure: &Figure, then: [f64; 3], now: [f64; 3], since: &str) -> Option<Figure> {
    let moved = match (now[1] > then[2], now[2] < then[1]) {
        (true, _) => Ordering::Greater,
        (_, true) => Ordering::Less,
        (false, false) => return None,
    };
    // Of a rate more is better, of everything else less.
    let better = if figure.unit.starts_with("/s") || figure.unit == "s/s" { Ordering::Greater } else { Ordering::Less };
    Some(Figure {
        what: format!("{}, ratio since {since}", figure.what),
        unit: "×".into(),
        ours: now[0],
        floor: Some(then[0]),
        ratio: None,
        wanted: Some(format!("as then: {:.2}–{:.2}", then[1], then[2])),
        met: Some(moved == better),
    })
}

/// The figures of a part in the newest verdict that git keeps and that has some, and what that one is called.
pub(crate) fn last(audits: &Path, file: &str) -> Option<(String, Vec<Figure>)> {
    let mut folders: Vec<_> = std::fs::read_dir(audits).ok()?.flatten().map(|entry| entry.path()).collect();
    // Their names begin with the time.
    folders.sort();
    folders.into_iter().rev().find_map(|folder| {
        let text = std::fs::read_to_string(folder.join("bench").join(file)).ok()?;
        let figures = super::figures::figures(&super::figures::read(&text).ok()?);
        Some((folder.file_name()?.to_string_lossy().into_owned(), figures))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(unit: &str, ratio: [f64; 3]) -> Figure {
        let (what, unit) = ("x".into(), unit.into());
        Figure { what, unit, ours: 1.0, floor: Some(1.0), ratio: Some(ratio), wanted: None, met: None }
    }

    fn met(unit: &str, then: [f64; 3], now: [f64; 3]) -> Vec<Option<bool>> {
        changes(&[figure(unit, then)], &[figure(unit, now)], "a").iter().map(|figure| figure.met).collect()
    }

    #[test]
    fn only_intervals_that_do_not_touch_are_a_change() {
        let then = [1.0, 0.9, 1.1];
        assert_eq!(met("us", then, [1.1, 1.1, 1.3]), [Some(true)]);
        assert_eq!(met("us", then, [1.3, 1.2, 1.4]), [Some(false), Some(false)]);
        assert_eq!(met("us", then, [0.7, 0.6, 0.8]), [Some(true), Some(true)]);
        assert_eq!(met("/s", then, [1.3, 1.2, 1.4]), [Some(true), Some(true)]);
        assert_eq!(met("/s", then, [0.7, 0.6, 0.8]), [Some(false), Some(false)]);
    }

    #[test]
    fn what_can_not_be_compared_is_not_said_to_be_as_good() {
        let alone = Figure { ratio: None, ..figure("us", [1.0; 3]) };
        assert!(changes(&[], &[figure("us", [1.0; 3])], "a").is_empty());
        assert!(changes(std::slice::from_ref(&alone), &[figure("us", [1.0; 3])], "a").is_empty());
        assert!(changes(&[figure("ms", [1.0; 3])], &[figure("us", [1.0; 3])], "a").is_empty());
    }

    #[test]
    fn the_newest_verdict_with_such_figures_is_taken() {
        let audits = tempfile::tempdir().expect("a folder");
        let line = |ours: u32| {
            format!(
                r#"{{"what":"x","unit":"us","ours":[{ours}],"floor":[1],"wanted":null,"met":null,"counted":false}}"#
            )
        };
        for (name, ours) in [("20260101-a", 1), ("20260201-b", 2)] {
            let folder = audits.path().join(name).join("bench");
            std::fs::create_dir_all(&folder).expect("made");
            std::fs::write(folder.join("lives.json"), line(ours)).expect("written");
        }
        std::fs::create_dir_all(audits.path().join("20260301-c")).expect("made");
        let (name, figures) = last(audits.path(), "lives.json").expect("there is one");
        assert_eq!((name.as_str(), figures[0].ours), ("20260201-b", 2.0));
        assert!(last(audits.path(), "answer.json").is_none());
    }
}
