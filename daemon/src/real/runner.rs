//! Running attempts. (Its place until it is merged.)

use crate::attempt::{Identity, Observation};
use crate::id::AttemptKey;
use crate::ports::{LocalFuture, Noticed, Runner, Spec, StartFailed, Stream};

/// The runner of this machine.
pub struct LocalRunner;

impl Runner for LocalRunner {
    fn start(&self, _: Spec) -> LocalFuture<'_, Result<Identity, StartFailed>> {
        Box::pin(std::future::ready(Err(StartFailed::Transient("not in this build".into()))))
    }
    fn go(&self, _: AttemptKey) -> bool {
        false
    }
    fn clear(&self, _: AttemptKey) -> Result<(), String> {
        Ok(())
    }
    fn observe(&self, _: AttemptKey, _: Option<&Identity>) -> Observation {
        Observation::Absent
    }
    fn watch(&self, _: AttemptKey, _: Identity) -> LocalFuture<'_, Noticed> {
        Box::pin(std::future::pending())
    }
    fn stop(&self, _: AttemptKey, _: &Identity) -> bool {
        false
    }
    fn destroy(&self, _: AttemptKey, _: String) -> LocalFuture<'_, u32> {
        Box::pin(std::future::ready(0))
    }
    fn scan(&self) -> Result<Vec<AttemptKey>, String> {
        Ok(Vec::new())
    }
    fn archive(&self, _: AttemptKey) -> Result<(), String> {
        Ok(())
    }
    fn tail(&self, _: AttemptKey, _: Stream, _: usize, _: usize) -> Result<String, String> {
        Ok(String::new())
    }
}
