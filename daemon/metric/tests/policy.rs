//! The policy that is committed is the one that the code goes by.

use mainstay_metric::limits::RECOVERY_CAP_MS;
use mainstay_metric::policy::policy_text;
use mainstay_metric::table::ROWS;
use std::path::Path;

#[test]
fn the_committed_policy_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../audits/policy-v1.2.toml");
    if std::env::var_os("MAINSTAY_BLESS").is_some() {
        std::fs::write(&path, policy_text()).expect("writable");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == policy_text(),
        "audits/policy-v1.2.toml is old; if that change is meant: MAINSTAY_BLESS=1 cargo test -p mainstay-metric"
    );
}

#[test]
fn the_policy_can_be_read_and_has_every_row() {
    let table: toml::Table = policy_text().parse().expect("TOML");
    let metrics = table["metric"].as_table().expect("a table");
    assert_eq!(metrics.len(), ROWS.len(), "ids are told apart");
    for row in &ROWS {
        let target = metrics[row.id]["target"].as_str().expect("a text");
        assert_eq!(target, format!("{} {}", row.comparison.sign(), row.unit.text(row.target)));
    }
    assert_eq!(table["limits"]["recovery_cap_ms"].as_integer(), Some(RECOVERY_CAP_MS));
}
