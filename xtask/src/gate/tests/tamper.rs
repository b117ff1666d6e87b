//! [`WAYS`] to tamper with a bundle. Who does it may write the manifest anew, and sign with a key of their own; whoever verifies
//! with the key that is trusted refuses all of it, and names the place.

use super::changes::{chained, derived, invented, put};
use super::small::{Small, copy, everything, ours, seal};
use super::ways::{DICE, LOOK, Seen, WAYS};
use crate::gate::ended::Ended;
use crate::gate::head::Wanted;
use crate::gate::layout;
use crate::gate::sign::Secret;
use std::path::Path;

/// What was done to the seal afterwards.
const SEALS: [&str; 4] = [
    "manifest as it was",
    "manifest anew, old signature",
    "manifest anew, unsigned",
    "manifest anew, signed by another",
];

fn sealed(bundle: &Path, how: usize) {
    let old = std::fs::read(bundle.join("MANIFEST.sig")).expect("signed");
    // A bundle with links can't be sealed anew.
    if how == 0 || layout::files(bundle).is_err() {
        return;
    }
    seal(bundle, (how == 3).then(|| Secret::of([9; 32])).as_ref());
    if how == 1 {
        put(bundle, "MANIFEST.sig", &old);
    }
}

#[test]
fn every_way_of_tampering_is_refused_by_the_key_and_most_without() {
    let small = Small::new();
    let clean = small.run("clean", everything()).expect("a bundle").bundle;
    let mut tried = 0;
    for way in WAYS {
        for (how, seal) in SEALS.iter().enumerate() {
            let bundle = small.out.join(format!("tampered-{tried}"));
            copy(&clean, &bundle);
            (way.act)(&bundle);
            sealed(&bundle, how);
            refused(&format!("{}, {seal}", way.name), small.verify(&bundle).map(drop), "");
            if way.seen == Seen::Always && how == 2 {
                // No key at hand: what contradicts itself is refused all the same, and the place is named.
                refused(&format!("{}, {seal}, no key", way.name), small.doubt(&bundle, None, 0).map(drop), way.place);
            }
            tried += 1;
            std::fs::remove_dir_all(&bundle).expect("removed");
        }
    }
    assert!(WAYS.len() >= 24 && tried == WAYS.len() * SEALS.len());
    small.verify(&clean).expect("the clean one is not refused");
}

/// Every byte counts: one is changed at many places of every file.
#[test]
fn a_changed_byte_in_any_file_is_refused_and_the_file_is_named() {
    let small = Small::new();
    let clean = small.run("clean", everything()).expect("a bundle").bundle;
    for path in layout::files(&clean).expect("readable") {
        let whole = layout::read(&clean, &path).expect("readable");
        for place in [0, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            put(&clean, &path, &changed);
            let name = if path == "MANIFEST" { "MANIFEST" } else { &path };
            refused(&format!("{path} at {place}"), small.verify(&clean).map(drop), name);
        }
        put(&clean, &path, &whole);
    }
    small.verify(&clean).expect("everything is as it was");
}

/// Made-up evidence with a whole chain shows when it is run again, and in no other way.
#[test]
fn made_up_evidence_shows_when_it_is_run_again() {
    let small = Small::new();
    let clean = small.run("clean", everything()).expect("a bundle").bundle;
    chained(&clean, DICE, invented);
    derived(&clean);
    seal(&clean, Some(&ours()));
    small.verify(&clean).expect("without replaying nothing is to be seen");
    let all = 100;
    refused("made up", small.doubt(&clean, Some(ours().public()), all).map(drop), DICE);
}

/// A unit of a run of another commit does not fit, although it is whole.
#[test]
fn a_unit_of_another_run_is_refused() {
    let small = Small::new();
    let first = small.run("first", everything()).expect("a bundle").bundle;
    let chosen = small.run("chosen", Wanted { seeds_from: Some(3), ..everything() }).expect("a bundle").bundle;
    std::fs::write(small.gate.checkout.root.join("scenarios/b.toml"), "about = \"b\"\n").expect("written");
    small.commit("second");
    let second = small.run("second", everything()).expect("a bundle").bundle;
    for (n, (from, path)) in [(&first, DICE), (&first, LOOK), (&chosen, DICE), (&chosen, LOOK)].into_iter().enumerate()
    {
        let bundle = small.out.join(format!("mixed-{n}"));
        copy(&second, &bundle);
        put(&bundle, path, &layout::read(from, path).expect("there"));
        // Even by the one with the key.
        seal(&bundle, Some(&ours()));
        refused(path, small.verify(&bundle).map(drop), path);
    }
}

/// Who left out what they could not show is not helped by signing it.
#[test]
fn a_part_or_an_unsigned_bundle_does_not_pass_for_a_whole_one() {
    let small = Small::new();
    let wanted = Wanted { part: Some("1/2".parse().expect("a part")), ..everything() };
    let part = small.run("part", wanted).expect("a part").bundle;
    refused("a part", small.verify(&part).map(drop), layout::HEAD);
    let unsigned = small.run("unsigned", everything()).expect("a bundle").bundle;
    seal(&unsigned, None);
    refused("unsigned", small.verify(&unsigned).map(drop), "MANIFEST.sig");
    small.doubt(&unsigned, None, 0).expect("without a key it is only said");
}

fn refused(what: &str, done: Result<(), Ended>, place: &str) {
    match done {
        Err(Ended::Refused(why)) => {
            assert!(why.contains(place), "{what}: refused for another place than {place}: {why}")
        }
        Err(other) => panic!("{what}: not refused, but: {other}"),
        Ok(()) => panic!("{what}: not refused"),
    }
}
