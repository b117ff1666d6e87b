//! Evidence of one real run, forged.

use super::forged;
use crate::scenario::Scenario;

#[test]
fn every_property_sees_what_is_forged_for_it() {
    let _alone = crate::vfs::alone();
    let swarm = "about = 'x'\nlasts = '5m'\n[swarm]\njobs = [4, 8]\nfaults = 4\n";
    assert_eq!(forged(&Scenario::parse(swarm).expect("a scenario")), None);
}
