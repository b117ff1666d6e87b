use super::*;
use crate::crash::plan::{Shard, places};

const DEPTH: Depth = Depth { again: 1, control: None };

/// The first point where this is done.
fn first(points: &[Passed], what: &str) -> usize {
    points.iter().position(|passed| passed.what == what).unwrap_or_else(|| panic!("{what:?} is no point"))
}

#[test]
fn every_class_has_points_and_some_of_them_hold() {
    let _alone = crate::vfs::alone();
    let points = undisturbed(None).expect("it holds");
    assert!(points.len() > 1_000, "{} points", points.len());
    for place in places(&points, Some(5), Shard { number: 1, of: 2 }) {
        let report = cut_at(&points, place, DEPTH);
        assert_eq!(report.findings, [], "{:?}", points[place]);
        assert!(report.counts.kills == 1 && report.counts.power_losses > 0 && report.counts.second == 2);
    }
}

#[test]
fn the_life_comes_by_all_that_can_be_done() {
    let _alone = crate::vfs::alone();
    let points = undisturbed(None).expect("it holds");
    let done = |what: &str| points[first(&points, what)].clone();
    for what in ["write", "sync", "create", "delete", "truncate"] {
        assert_eq!(done(what).point.class, Class::Disk);
    }
    for what in
        ["before start", "folder made", "shim ready", "before go", "told to go", "program ended", "receipt written"]
    {
        assert_eq!(done(what).point.class, Class::Machine);
    }
    for what in ["before stop", "told to stop", "before archive", "archived"] {
        assert_eq!(done(what).point.class, Class::Machine);
    }
    for what in ["before SendMessage", "EditMessageText answered", "GetUpdates answered", "before AnswerCallbackQuery"]
    {
        assert_eq!(done(what).point.class, Class::Api);
    }
    assert_eq!(done("before an answer").point.class, Class::Desk);
    assert_eq!(done("before an answer").waiting, 0, "nothing is answered that a power loss could take");
}

#[test]
fn another_life_is_told_from_the_same_one() {
    let _alone = crate::vfs::alone();
    let points = undisturbed(None).expect("it holds");
    let place = first(&points, "before go");
    let mut other = points.clone();
    other[place / 2].digest ^= 1;
    let report = cut_at(&other, place, DEPTH);
    let how = &report.findings.first().expect("it is noticed").how;
    assert!(report.findings[0].property.is_none() && how.contains(&format!("point {}", place / 2)), "{how}");
}

#[test]
fn a_disk_that_ignores_syncs_is_found() {
    let _alone = crate::vfs::alone();
    let depth = Depth { again: 0, control: Some(Control::LyingDisk) };
    let points = undisturbed(depth.control).expect("nobody notices while the power is on");
    // The command line has its answer, and the daemon goes on.
    let place = first(&points, "answered") + 40;
    let report = cut_at(&points, place, depth);
    let found: Vec<_> = report.findings.iter().filter_map(|finding| finding.property.as_deref()).collect();
    assert!(!found.is_empty(), "{:?}", points[place]);
}
