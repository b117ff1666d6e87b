//! From counts to a verdict. FAIL is what is refuted, or was not shown by a sample that is large enough; INCONCLUSIVE is what
//! was not looked at often enough; PASS is the rest, and the rest only.

mod each;
mod mean;
mod score;
mod share;

use crate::fold::{Cluster, Counted};
use crate::ledger::Origin;
use crate::limits::{EXCLUDED_PERCENT, NAMED};
use crate::scorecard::{Outcome, Part, Probed};
use crate::table::{Least, Parts, Row, Rule};

/// What a rule came to. Numbers are units of the row's last digit.
pub(crate) struct Judged {
    pub(crate) estimate: Option<u64>,
    pub(crate) bound: Option<u64>,
    pub(crate) outcome: Outcome,
    pub(crate) why: String,
    pub(crate) parts: Vec<Part>,
    /// How many were looked at, and how many of them failed.
    pub(crate) sample: u64,
    pub(crate) failures: u64,
}

/// What a rule found, before it is put together.
struct Found {
    estimate: u64,
    bound: u64,
    /// Certainly on the wrong side, however small the sample.
    refuted: Vec<String>,
    /// Not enough was seen.
    short: Vec<String>,
    /// The sample is enough, and it does not show what it should.
    missed: Vec<String>,
    parts: Vec<Part>,
}

/// The verdict on a row by the evidence of one origin.
pub(crate) fn judge(row: &Row, origin: Origin, counted: &Counted, probes: &[Probed]) -> Judged {
    let least = row.least(origin);
    let found = match row.rule {
        Rule::Score => return score::judge(row, origin, probes),
        Rule::Bound => share::bound(row, least, counted),
        Rule::Never => each::never(row, least, counted),
        Rule::All => each::all(row, least, counted),
        Rule::Properties => each::properties(row, least, counted),
        Rule::Recovery => mean::recovery(row, least, counted),
        Rule::Mean => mean::mean(row, least, counted),
    };
    put_together(row, origin, counted, found)
}

fn put_together(row: &Row, origin: Origin, counted: &Counted, mut found: Found) -> Judged {
    match row.lacks(origin) {
        // However much there is of it.
        Some(lacks) => found.short = vec![lacks],
        None => {
            found.short.extend(counted.open.iter().take(NAMED).cloned());
            found.short.extend(more(counted.open.len()));
        }
    }
    let (outcome, mut reasons) = match (&found.refuted[..], &found.short[..], &found.missed[..]) {
        ([], [], []) => (Outcome::Pass, Vec::new()),
        ([], [], missed) => (Outcome::Fail, missed.to_vec()),
        ([], short, _) => (Outcome::Inconclusive, short.to_vec()),
        (refuted, ..) => (Outcome::Fail, refuted.to_vec()),
    };
    let seen = counted.total.all > 0;
    let said = match seen {
        true => format!("{} looked at, {} failed", counted.total.all, counted.total.bad),
        false => "nothing was seen".to_owned(),
    };
    if outcome == Outcome::Pass {
        let bound = row.unit.text(found.bound);
        reasons.push(format!("{bound} {} {}", row.comparison.sign(), row.unit.text(row.target)));
    }
    if !counted.named.is_empty() {
        reasons.push(format!("first: {}", counted.named.iter().cloned().collect::<Vec<_>>().join(" | ")));
    }
    Judged {
        estimate: seen.then_some(found.estimate),
        bound: seen.then_some(found.bound),
        outcome,
        why: [vec![said], reasons].concat().join("; "),
        parts: found.parts,
        sample: counted.total.all,
        failures: counted.total.bad,
    }
}

/// In which ways the sample is too small.
fn short(row: &Row, least: Least, counted: &Counted) -> Vec<String> {
    if counted.total.all == 0 && counted.excluded.is_empty() {
        return vec![format!("it takes {} samples", least.sample.max(1))];
    }
    let mut short = Vec::new();
    let mut at_least = |have: u64, want: u64, of: &str| {
        if have < want {
            short.push(format!("{have} of the {want} {of} that it takes"));
        }
    };
    at_least(counted.total.all, least.sample.max(1), "samples");
    at_least(count(counted.seeds.len()), least.seeds, "seeds");
    at_least(counted.longest_run, least.one_run, "samples in one run");
    let large = counted.parts.values().filter(|part| part.all >= least.per_part).count();
    at_least(count(large), least.parts, "parts with enough of them");
    if row.parts == Parts::Decide {
        let small: Vec<_> = counted.parts.iter().filter(|(_, part)| part.all < least.per_part).collect();
        let named = small.iter().take(NAMED).map(|(name, part)| format!("{name}: {} of {}", part.all, least.per_part));
        short.extend(named);
        short.extend(more(small.len()));
    }
    let excluded: u64 = counted.excluded.values().sum();
    if excluded * 100 > (excluded + counted.total.all) * EXCLUDED_PERCENT {
        short.push(format!("{excluded} excluded, more than {EXCLUDED_PERCENT} %"));
    }
    short
}

/// That there are more than are named.
fn more(all: usize) -> Option<String> {
    (all > NAMED).then(|| format!("and {} more like that", all - NAMED))
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// The parts of a row, each with its verdict.
fn parts(counted: &Counted, verdict: impl Fn(Cluster) -> Outcome) -> Vec<Part> {
    let part = |(name, cluster): (&String, &Cluster)| Part {
        name: name.clone(),
        sample: cluster.all,
        failures: cluster.bad,
        outcome: verdict(*cluster),
    };
    counted.parts.iter().map(part).collect()
}

/// The names of the parts with this verdict.
fn named(parts: &[Part], outcome: Outcome) -> Option<String> {
    let names: Vec<&str> = parts.iter().filter(|part| part.outcome == outcome).map(|part| part.name.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
