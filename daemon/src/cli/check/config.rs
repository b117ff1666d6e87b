//! The configuration, and what the machine lacks for it.

use super::code::Code;
use super::findings::Findings;
use crate::config::Config;
use crate::exit::ExitCode;
use crate::real::config_file;
use std::path::Path;

/// The configuration, if it is valid.
pub(super) fn look(path: &Path, findings: &mut Findings) -> Option<Config> {
    let valid = match config_file::load(path) {
        Ok(valid) => valid,
        Err(fatal) => {
            let code = if fatal.code == ExitCode::NobodyAllowed {
                Code::ConfigNobody
            } else if std::fs::File::open(path).is_err() {
                Code::ConfigMissing
            } else {
                Code::ConfigInvalid
            };
            findings.refused(code, &fatal);
            return None;
        }
    };
    let config = valid.config;
    let (operators, kinds, hash) = (config.operators.len(), config.kinds.len(), &config.hash[..12]);
    findings.add(Code::Config, format!("{}: {operators} operators, {kinds} kinds, hash {hash}", path.display()));
    for problem in &valid.warnings {
        findings.add(Code::ConfigOdd, format!("{}:{problem}", path.display()));
    }
    for missing in config_file::missing_on_this_machine(&config) {
        findings.add(Code::KindUnready, missing);
    }
    Some(config)
}
