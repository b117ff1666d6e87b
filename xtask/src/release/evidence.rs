//! What was found out about a commit before it is released: by its tests, by its gate.

use super::record::{Gate, Tests};
use crate::gate::ended::Ended;
use crate::gate::head::Head;
use crate::gate::layout;
use crate::gate::raw::digest;
use crate::gate::sign::Secret;
use crate::gate::site::Stop;
use crate::gate::verify::{Doubt, verify};
use crate::gate::{self, checkout, judge};
use roxmltree::{Document, Node};
use std::path::Path;

/// Where a bundle has the report of the tests, if it has one.
const REPORT: &str = "tests/junit.xml";

/// Counts a report in JUnit's form: each test once, by the worst that is said of it.
pub(crate) fn tests(report: &[u8]) -> Result<Tests, String> {
    let text = std::str::from_utf8(report).map_err(|error| format!("no report of tests: {error}"))?;
    let document = Document::parse(text).map_err(|error| format!("no report of tests: {error}"))?;
    let mut tests = Tests { passed: 0, failed: 0, skipped: 0, report_sha256: digest(report) };
    for case in document.descendants().filter(|node| node.has_tag_name("testcase")) {
        let says = |name: &str| case.children().any(|node: Node<'_, '_>| node.has_tag_name(name));
        match (says("failure") || says("error"), says("skipped")) {
            (true, _) => tests.failed += 1,
            (false, true) => tests.skipped += 1,
            (false, false) => tests.passed += 1,
        }
    }
    match tests.passed + tests.failed + tests.skipped {
        0 => Err("no test is in the report".to_owned()),
        _ => Ok(tests),
    }
}

/// What a gate of this very commit said, and what its tests came to. Its bundle is verified first: what stands in it counts
/// only if it follows from the evidence; and where the release is signed, only if the bundle is, by the same key.
pub(crate) fn gate(
    here: &gate::Gate,
    at: &checkout::Head,
    bundle: &Path,
    signer: Option<&Secret>,
) -> Result<(Gate, Option<Tests>), Ended> {
    let shown = bundle.display();
    let head = Head::read(bundle).map_err(Ended::Refused)?;
    if head.commit != at.commit {
        return Err(Ended::Usage(format!("{shown}: is about commit {}, and this is {}", head.commit, at.commit)));
    }
    if head.dirty {
        return Err(Ended::Usage(format!(
            "{shown}: files differed from the commit, so it is about nothing that is known"
        )));
    }
    if head.part.is_some() {
        return Err(Ended::Usage(format!("{shown}: is a part; merge it with the others first")));
    }
    let stop = Stop::on_signals().map_err(Ended::Infrastructure)?;
    let verified =
        verify(here, bundle, &Doubt { key: signer.map(Secret::public), replay: 0, nonce: String::new(), stop: &stop })?;
    let manifest = layout::read(bundle, layout::MANIFEST).map_err(Ended::Refused)?;
    let (verdict, _) = judge::said(verified.verdict);
    let tests = match bundle.join(REPORT).exists() {
        true => Some(tests(&layout::read(bundle, REPORT).map_err(Ended::Refused)?).map_err(Ended::Refused)?),
        false => None,
    };
    Ok((Gate { bundle_sha256: digest(&manifest), verdict: verdict.to_owned() }, tests))
}
