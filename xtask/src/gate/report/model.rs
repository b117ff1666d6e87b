//! A bundle as the report needs it.

use crate::gate::probes::Probed;
use crate::gate::seen::Evidence;
use mainstay_metric::ledger::Origin;
use mainstay_metric::scorecard::{Group, Measured, Outcome, Scorecard};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A bundle.
pub(super) struct Report {
    /// What all metrics came to.
    pub(super) card: Scorecard,
    /// The verdict: that of the metrics, or what keeps it from being as good.
    pub(super) verdict: Outcome,
    /// Why.
    pub(super) why: String,
    /// What keeps it from being PASS, whatever the evidence says.
    pub(super) caps: Vec<String>,
    /// What all probes came to; none: they were not asked.
    pub(super) probed: Vec<Probed>,
    /// What was wanted; empty where it can't be read.
    policy: toml::Table,
    /// Everything else.
    pub(super) evidence: Evidence,
}

/// What of `derived/verdict.json` is shown.
#[derive(Deserialize)]
struct Judged {
    verdict: Outcome,
    why: String,
    #[serde(default)]
    caps: Vec<String>,
}

impl Report {
    pub(super) fn new(mut evidence: Evidence) -> Result<Report, String> {
        // A report that looked at itself would not be the same twice.
        evidence.files.retain(|path, _| !path.starts_with("report/"));
        let card: Scorecard = read(&evidence, "derived/metrics.json")?;
        let Judged { verdict, why, caps } = if evidence.files.contains_key("derived/verdict.json") {
            read(&evidence, "derived/verdict.json")?
        } else {
            Judged { verdict: card.verdict, why: card.why.clone(), caps: Vec::new() }
        };
        let probed = if evidence.files.contains_key("derived/probes.json") {
            read(&evidence, "derived/probes.json")?
        } else {
            Vec::new()
        };
        let policy = evidence.files.get("policy.toml").and_then(|text| text.parse().ok()).unwrap_or_default();
        Ok(Report { card, verdict, why, caps, probed, policy, evidence })
    }

    /// A fact of `bundle.json`, or that it is not there.
    pub(super) fn fact(&self, name: &str) -> String {
        self.evidence.at("bundle.json", &format!("/{name}")).unwrap_or_else(|| "not said".to_owned())
    }

    /// The first letters of the commit.
    pub(super) fn commit(&self) -> String {
        self.fact("commit").chars().take(12).collect()
    }

    /// What a metric counts, and of what, as the bundle's policy says it.
    pub(super) fn counts(&self, id: &str) -> Option<(String, String)> {
        let of = |field: &str| Some(self.policy.get("metric")?.get(id)?.get(field)?.as_str()?.to_owned());
        Some((of("counts")?, of("of")?))
    }

    /// The audit score, as the scorecard has it.
    pub(super) fn score(&self) -> &str {
        let row = self.card.metrics.iter().find(|metric| metric.id == "audit-score");
        row.and_then(|metric| metric.estimate.as_deref()).unwrap_or("none")
    }

    /// The rows of a group, those that decide here first.
    pub(super) fn group(&self, group: Group) -> Vec<&Measured> {
        let mut rows: Vec<_> = self.card.metrics.iter().filter(|metric| metric.group == group).collect();
        rows.sort_by_key(|metric| !metric.counts);
        rows
    }

    /// The rows that decide.
    pub(super) fn counting(&self) -> impl Iterator<Item = &Measured> {
        self.card.metrics.iter().filter(|metric| metric.counts)
    }

    /// How many of the rows that decide came to this.
    pub(super) fn count(&self, outcome: Outcome) -> usize {
        self.counting().filter(|metric| metric.outcome == outcome).count()
    }
}

fn read<T: DeserializeOwned>(evidence: &Evidence, path: &str) -> Result<T, String> {
    let text =
        evidence.files.get(path).ok_or_else(|| format!("the bundle has no {path}: finish or merge the run first"))?;
    serde_json::from_str(text).map_err(|error| format!("failed to read {path}: {error}"))
}

/// How far whoever has only the bundle can check a number.
pub(super) fn checked(origin: Origin) -> (&'static str, &'static str) {
    match origin {
        Origin::Sim => ("replayable", "its runs can be played again from their seeds: gate verify --replay N"),
        Origin::Lab => ("attested", "computed again from raw lines, which the machine that made them answers for"),
        Origin::Production => ("attested", "by the record of the daemon in production"),
    }
}

/// Who saw it.
pub(super) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Sim => "simulation",
        Origin::Lab => "real machine",
        Origin::Production => "production",
    }
}
