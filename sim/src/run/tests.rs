use super::*;
use crate::trace::Entry;
use std::collections::BTreeSet;

fn swarm() -> Scenario {
    Scenario::parse("about = 'x'\nlasts = '10m'\n[swarm]\njobs = [3, 12]\nfaults = 10\n").expect("a scenario")
}

#[test]
fn chance_draws_every_kind_of_job() {
    let kinds: BTreeSet<_> = (0..40).flat_map(|seed| resolve(&swarm(), seed).jobs).map(|job| job.kind).collect();
    assert_eq!(kinds, people::config().kinds.into_keys().collect());
}

#[test]
fn what_a_seed_comes_to_can_be_written_down_and_played_again() {
    let _alone = crate::vfs::alone();
    let resolved = resolve(&swarm(), 3);
    let text = toml::to_string(&resolved).expect("a scenario can be written");
    let again = Scenario::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(again, resolved, "{text}");
    // One run a process would be needed for the same bytes of SQLite; the machine's part is the same in any.
    let (first, second) = (run(&swarm(), 3), play(&again, 3));
    assert_eq!((first.broken, second.broken), (None, None));
    assert_eq!((first.jobs, first.faults, first.ran), (second.jobs, second.faults, second.ran));
}

#[test]
fn every_death_is_looked_at_also_without_a_pause_after_it() {
    let _alone = crate::vfs::alone();
    // The last two come amid a write or when faults are over, and all but one daemon are followed by another at once.
    let kill = |at: &str, down: &str| format!("[[fault]]\nfault = 'daemon-killed'\nat = '{at}'\ndown = '{down}'\n");
    let deaths: Vec<_> = [("10s", "0s"), ("10100ms", "0s"), ("20s", "1s"), ("30s", "0s"), ("59900ms", "0s")]
        .map(|(at, down)| kill(at, down))
        .into();
    for (n, text) in (0..deaths.len()).map(|n| (n + 1, deaths[..=n].concat())) {
        let scenario = Scenario::parse(&format!("about = 'x'\nlasts = '1m'\n{text}")).expect("a scenario");
        let run = run(&scenario, 1);
        assert_eq!((run.broken, run.looks, run.faults), (None, n, n), "{text}");
    }
}

#[test]
fn a_clock_that_drifts_misdates_nothing() {
    let _alone = crate::vfs::alone();
    // It is set at the beginning of each tick, so whatever is recorded is recorded just after that.
    let drifts = "[[fault]]\nat = '2s'\nfault = 'clock-drifts'\nby_ms = 900\nlasts = '50s'\n";
    let job = "[[job]]\nat = '1s'\nkind = 'build'\n";
    let scenario = Scenario::parse(&format!("about = 'x'\nlasts = '1m'\ntick = '1s'\n{job}{drifts}"));
    let run = watch(&scenario.expect("a scenario"), 1);
    let at = |lane: Lane, words: &str| {
        let is_it = |entry: &&Entry| entry.lane == lane && entry.words.starts_with(words);
        run.trace.iter().find(is_it).expect("it happened").at_ms
    };
    let late = at(Lane::Machine, "attempt 1-1 runs") - at(Lane::Task, "RUNNING");
    assert!((0..200).contains(&late), "it ran {late} ms after it was to");
}

#[test]
fn people_lose_patience_whatever_the_tick() {
    let _alone = crate::vfs::alone();
    let cut = "[[fault]]\nat = '1s'\nfault = 'line-cut'\nlasts = '30s'\n";
    let job = "[[job]]\nat = '6s'\nkind = 'note'\nby = 'ben'\n";
    for tick in ["100ms", "300ms", "700ms"] {
        let text = format!("about = 'x'\nlasts = '1m'\ntick = '{tick}'\n{job}{cut}");
        let scenario = Scenario::parse(&text).expect("a scenario");
        let asks_again = |seed| {
            let look = |_: &World, people: &People, _: &Outages| people.jobs[0].messages.len();
            play_and_look(&resolve(&scenario, seed), seed, |_| {}, look).1 == 2
        };
        assert!((0..10).any(asks_again), "{tick}");
    }
}

#[test]
fn time_passes_until_everything_rests_or_to_the_bound() {
    let _alone = crate::vfs::alone();
    let one = |ends: &str| {
        let job = format!("[[job]]\nat = '1s'\nkind = 'build'\ndoes = 'exit:0@5000'\nends = '{ends}'\n");
        Scenario::parse(&format!("about = 'x'\nlasts = '3m'\nsettles = '5m'\n{job}")).expect("a scenario")
    };
    let held = run(&one("SUCCEEDED"), 1);
    assert_eq!(held.broken, None);
    assert!(held.simulated_ms < 6 * 60_000, "it rested for a minute and went on: {}", held.simulated_ms);
    // What does not hold may hold later: nobody gives up before the bound.
    let broken = run(&one("FAILED"), 1);
    assert_eq!(broken.broken.map(|b| b.property), Some("every task comes to its end"));
    assert_eq!(broken.simulated_ms, 8 * 60_000);
}
