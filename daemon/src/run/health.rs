//! Whether all is well: looked at every half minute, and at once when something is put on record that may be worth an alert.
//! What is asked is what `/ops` asks; what follows is decided in [`alert`].

use super::{Daemon, Turned};
use crate::command::Command;
use crate::decide::{Draft, Moment, alert};
use crate::policy;
use crate::real::store::StoreError;
use std::panic::{AssertUnwindSafe, catch_unwind};

impl Daemon {
    pub(super) fn health_is_due(&self) -> bool {
        self.look.health || self.ports.time.now().boot_ms >= self.marks.look_at_health_at
    }

    /// Puts on record what began to be wrong and what is over, and tells who is in charge.
    pub(super) fn look_at_health(&mut self, now: Moment, turned: &mut Turned) -> Result<(), StoreError> {
        self.marks.look_at_health_at = now.boot_ms + policy::HEALTH_LOOK_MS;
        self.look.health = false;
        if let Some(base_ms) = self.store.clock_base()? {
            let view = self.store.view()?;
            let plan = {
                let mut draft = Draft::new(&self.config, &view, now);
                alert::look_at_clock(&mut draft, base_ms);
                draft.done()
            };
            self.apply(plan, now, turned)?;
        }
        self.marks.starts.forget(now.boot_ms);
        let mut view = self.view()?;
        self.load_command(&mut view, &Command::Ops, now)?;
        view.reachable = self.store.reachable()?;
        view.alerting = self.store.waiting_alerts()?;
        view.parked = self.store.parked()?;
        let (config, mut watch) = (self.config.clone(), self.marks.watch.clone());
        let plan = catch_unwind(AssertUnwindSafe(|| {
            let mut draft = Draft::new(&config, &view, now);
            alert::look(&mut draft, &mut watch);
            draft.done()
        }));
        // A panic there is our bug, and must not end a daemon that does its work. It has been logged; the next look tries again.
        let Ok(plan) = plan else { return Ok(()) };
        self.marks.watch = watch;
        self.apply(plan, now, turned)
    }
}
