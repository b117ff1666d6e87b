//! Each way in which a release can fail is seen, and one that is merely slow is left alone.

use super::*;

const LIMITS: Limits = Limits { ready_ms: 30_000, answer_ms: 10_000, soak_ms: 60_000 };

fn heard() -> Heard {
    Heard { version: "b".into(), config_hash: "abcdef".into(), life: 8, violations: 2, refusals: 0 }
}

fn look(at_s: i64, heard: Heard) -> Look {
    Look { at_ms: at_s * 1_000, given_up: None, restarts: Some(1), heard: Ok(heard) }
}

fn silent(at_s: i64) -> Look {
    Look { heard: Err("nobody listens".into()), ..look(at_s, heard()) }
}

fn watch() -> Watch {
    let release = Id::new("b").expect("an id");
    let expected = Expected { release, config: Some("abcd".into()), life_before: Some(7), violations: Some(2) };
    Watch::new(expected, LIMITS, 0)
}

/// The first verdict other than "nothing yet", after the first answer if there was one.
fn judged(looks: impl IntoIterator<Item = Look>) -> Verdict {
    let mut watch = watch();
    for look in looks {
        let verdict = watch.see(&look);
        if !matches!(verdict, Verdict::GoOn | Verdict::There) {
            return verdict;
        }
    }
    Verdict::GoOn
}

fn why(looks: impl IntoIterator<Item = Look>) -> String {
    let verdict = judged(looks);
    let Verdict::Failed(why) = verdict else { panic!("{verdict:?}") };
    why
}

#[test]
fn one_that_answers_to_the_end_of_the_window_has_proven_itself_and_no_earlier() {
    let all = |end: i64| (0..5).map(silent).chain((5..=end).map(|at| look(at, heard()))).collect::<Vec<_>>();
    assert_eq!(judged(all(64)), Verdict::GoOn);
    assert_eq!(judged(all(65)), Verdict::Proven);
    let mut watch = watch();
    assert_eq!(watch.see(&silent(0)), Verdict::GoOn);
    assert_eq!(watch.see(&look(1, heard())), Verdict::There, "and that is the moment to ask it for a commit");
    assert_eq!(watch.see(&look(2, heard())), Verdict::GoOn);
}

#[test]
fn a_pause_shorter_than_an_answer_may_take_is_none() {
    let with_gap = |silence: i64| {
        let after = (silence..=70).map(|at| look(at, heard()));
        judged(std::iter::once(look(0, heard())).chain((1..silence).map(silent)).chain(after))
    };
    assert_eq!(with_gap(10), Verdict::Proven);
    assert!(matches!(with_gap(12), Verdict::Failed(why) if why.contains("does not answer since 10000 ms")));
}

#[test]
fn one_that_never_answers_is_told_apart_from_one_that_crashes() {
    assert!(why((0..=30).map(silent)).contains("has not answered within 30 s"));
    assert_eq!(judged((0..30).map(silent)), Verdict::GoOn);
    let crashing = |at: i64| Look { restarts: Some(1 + at), ..silent(at) };
    assert!(why((0..30).map(crashing)).contains("ended 3 times before it answered"));
    let given_up = Look { given_up: Some("exit code 10".into()), ..silent(1) };
    assert!(why([silent(0), given_up]).contains("not started again (exit code 10)"));
}

#[test]
fn the_daemon_of_before_proves_nothing() {
    let before = Heard { life: 7, version: "a".into(), ..heard() };
    assert!(why((0..=30).map(|at| look(at, before.clone()))).contains("of before still answers"));
    assert_eq!(judged([look(0, before), look(1, heard())]), Verdict::GoOn);
}

#[test]
fn what_is_not_as_expected_is_seen_at_the_first_answer_and_later() {
    let other = Heard { version: "a".into(), ..heard() };
    let config = Heard { config_hash: "abc0ef".into(), ..heard() };
    let violated = Heard { violations: 3, ..heard() };
    let again = Heard { life: 9, ..heard() };
    let restarted = Look { restarts: Some(2), ..look(3, heard()) };
    for (wrong, said) in [
        (look(3, other), "another release answers: a"),
        (look(3, config), "another configuration than was looked at: abc0, not abcd"),
        (look(3, violated), "1 violation(s)"),
        (look(3, again), "started anew"),
        (restarted, "started anew"),
    ] {
        let why = why([look(0, heard()), look(1, heard()), wrong]);
        assert!(why.contains(said), "{why}");
    }
    let at_once = |heard: Heard| why([look(0, heard)]);
    assert!(at_once(Heard { version: "a".into(), ..heard() }).contains("another release"));
    assert!(at_once(Heard { config_hash: String::new(), ..heard() }).contains("another configuration"));
}

#[test]
fn one_whose_token_is_refused_again_and_again_is_left() {
    let refused = |refusals: i64| (0..=60).map(move |at| look(at, Heard { refusals: refusals.min(at), ..heard() }));
    assert_eq!(
        judged(refused(policy::DEPLOY_REFUSALS_MAX - 1)),
        Verdict::Proven,
        "now and then a good one is refused, too"
    );
    assert_eq!(why(refused(9)), "telegram has refused its token 3 times in a row");
}
