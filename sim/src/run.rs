//! A run: set up; faults and work; then nothing goes wrong any more, and everything has to come to rest; then the verdict.

pub mod days;
mod draw;
mod verdict;

pub use draw::resolve;
pub use verdict::Verdict;

use crate::acts::{Acts, due};
use crate::botapi::Millis;
use crate::chronicle::Chronicle;
use crate::disk::Profile;
use crate::expect::Expected;
use crate::fault::{Fault, Heal, Struck};
use crate::moment::Moments;
use crate::people::{self, People, Persona};
use crate::probe::{Probe, over_ms};
use crate::property::{Broken, Counts, Evidence, GIVES_UP, Outages, Part, SPINS, look_and_count, told};
use crate::rest::Rest;
use crate::scenario::{Planned, Scenario, Sectors, Span};
use crate::trace::{Lane, OVER};
use crate::watch::Watch;
use crate::world::clock::EPOCH_MS;
use crate::world::{Make, World};
use mainstay::exit::ExitCode;
use mainstay::real::store::Store;
use std::time::Duration;

/// Runs a scenario with a seed: what chance makes of it, played.
pub fn run(scenario: &Scenario, seed: u64) -> Verdict {
    play(&resolve(scenario, seed), seed)
}

/// Seeds for the parts of a run, one each, so that what one part draws does not shift another's chance.
struct Seeds {
    plan: u64,
    people: u64,
    world: u64,
    amid: u64,
}

impl Seeds {
    fn of(seed: u64) -> Seeds {
        let mut rng = fastrand::Rng::with_seed(seed);
        Seeds { plan: rng.u64(..), people: rng.u64(..), world: rng.u64(..), amid: rng.u64(..) }
    }
}

/// Plays what [`resolve`] made.
pub fn play(resolved: &Scenario, seed: u64) -> Verdict {
    play_and_look(resolved, seed, |_| {}, |_, _, _| {}).0
}

/// The same with a whole trace of it.
pub fn watch(resolved: &Scenario, seed: u64) -> Verdict {
    play_with(Watch::new(true), resolved, seed, None, |_| {}, |_, _| {}).0
}

/// The same in a world that is changed before it begins, with a look at it when it is over.
pub fn play_and_look<T>(
    resolved: &Scenario,
    seed: u64,
    change: impl FnOnce(&mut World),
    look: impl FnOnce(&World, &People, &Outages) -> T,
) -> (Verdict, T) {
    let looks = |run: &Run, _: Option<&Broken>| look(&run.world, &run.people, &run.outages);
    play_with(Watch::new(false), resolved, seed, None, change, looks)
}

/// The same for who tells of it: with people of one kind, if one is said, and all that is known of the run when it is over.
pub(crate) fn play_and_tell<T>(
    resolved: &Scenario,
    seed: u64,
    persona: Option<Persona>,
    change: impl FnOnce(&mut World),
    tell: impl FnOnce(&Run, Option<&Broken>) -> T,
) -> (Verdict, T) {
    play_with(Watch::new(false), resolved, seed, persona, change, tell)
}

fn play_with<T>(
    watch: Watch,
    resolved: &Scenario,
    seed: u64,
    persona: Option<Persona>,
    change: impl FnOnce(&mut World),
    look: impl FnOnce(&Run, Option<&Broken>) -> T,
) -> (Verdict, T) {
    let seeds = Seeds::of(seed);
    let mut config = people::config();
    if let Some(keep) = resolved.keep {
        config.record.keep_ms = keep.ms();
    }
    let people = People::new(seeds.people, resolved.jobs.clone()).with(persona);
    let make = Make {
        seed: seeds.world,
        tick: Duration::from_millis(resolved.tick.0),
        disk: match resolved.sectors {
            Some(Sectors::Large) => Profile::LARGE_SECTORS,
            Some(Sectors::Small) | None => Profile::SMALL_SECTORS,
        },
        config,
    };
    let mut world = World::new(make, |telegram| people::move_in(&mut telegram.people(Millis(EPOCH_MS.unsigned_abs()))));
    if let Some(keep) = resolved.keep {
        world.chronicle = Chronicle::every(keep.ms() / 4);
    }
    if resolved.small_cache {
        world.cache_little();
    }
    change(&mut world);
    let mut run = Run {
        world,
        people,
        acts: Acts::of(resolved),
        moments: Moments::default(),
        faults: resolved.faults.clone(),
        healing: Vec::new(),
        outages: Outages::default(),
        outages_over: None,
        never: Vec::new(),
        expected: Vec::new(),
        lived: false,
        looks: 0,
        amid: seeds.amid,
        armed: None,
        watch,
        probe: resolved.soak.as_ref().map(|soak| Probe::new(soak.probe)),
        calm_ms: None,
        ticks: 0,
        ends: 0,
        looked: Counts::new(),
    };
    let broken = match run.live(resolved) {
        Life::Broke(broken) => Some(broken),
        Life::Rests => None,
        Life::OutOfTime => {
            run.world.kill();
            run.judge(resolved)
        }
    };
    let looked = look(&run, broken.as_ref());
    (run.verdict(seed, broken), looked)
}

/// A run, while it goes on and when it is over.
pub(crate) struct Run {
    pub(crate) world: World,
    pub(crate) people: People,
    acts: Acts,
    moments: Moments,
    /// Still to strike.
    faults: Vec<Planned>,
    /// To be healed, and when.
    healing: Vec<(i64, Heal)>,
    /// When the last fault of Telegram or the line was over.
    outages_over: Option<i64>,
    /// What went wrong only after something that never came about.
    never: Vec<String>,
    pub(crate) expected: Vec<Expected>,
    pub(crate) outages: Outages,
    /// A daemon has been up since the last look at what a dead one left.
    lived: bool,
    pub(crate) looks: usize,
    /// The seed of whether a death comes amid a write.
    amid: u64,
    /// A death that waits for a write, and until when, ms.
    armed: Option<(Planned, i64)>,
    pub(crate) watch: Watch,
    /// Somebody who watches from outside, where it is soaked.
    pub(crate) probe: Option<Probe>,
    /// Since when nothing goes wrong any more, ms.
    pub(crate) calm_ms: Option<i64>,
    /// How often time was let pass, and looked at.
    pub(crate) ticks: u64,
    /// How often a daemon ended by itself.
    pub(crate) ends: u64,
    /// What properties looked at when a daemon had died.
    pub(crate) looked: Counts,
}

/// What a life came to.
enum Life {
    /// A finding that needs no rest.
    Broke(Broken),
    /// Everything has come to rest, and everything holds.
    Rests,
    /// The time to come to rest is over.
    OutOfTime,
}

/// How long a death waits for a write, ms.
const ARMED_MS: i64 = 20_000;

/// How long a service manager waits before it starts a daemon that ended, ms.
const RESTART_MS: i64 = 1_000;

impl Run {
    /// Faults and work, then time to come to rest.
    fn live(&mut self, scenario: &Scenario) -> Life {
        while self.world.now() < scenario.lasts.ms() {
            self.strike();
            if let Some(broken) = self.tick() {
                return Life::Broke(broken);
            }
        }
        if let Err(broken) = self.calm() {
            return Life::Broke(broken);
        }
        let until = self.world.now() + scenario.settles.ms();
        let mut rest = Rest::default();
        while self.world.now() < until {
            if let Some(broken) = self.tick() {
                return Life::Broke(broken);
            }
            // More of the same is not worth its time. What does not hold yet may, after a slow retry: time goes on.
            let seen = self.probe.as_ref().is_none_or(Probe::is_satisfied);
            if seen
                && rest.has_come(&self.world, &self.people)
                && self.acts.are_over()
                && self.judge(scenario).is_none()
            {
                return Life::Rests;
            }
        }
        Life::OutOfTime
    }

    /// One tick of the world, and what people do in it.
    fn tick(&mut self) -> Option<Broken> {
        let now = self.world.now();
        // Before anything is healed: what lasts no time at all has been there too.
        self.note_outages();
        if let Err(broken) = self.look_at_what_is_left() {
            return Some(broken);
        }
        let (due, later): (Vec<_>, Vec<_>) = self.healing.drain(..).partition(|(at, _)| *at <= now);
        self.healing = later;
        for (_, heal) in due {
            let next = heal.heal(&mut self.world);
            self.healing.extend(next.map(|(heal, after)| (now + after.ms(), heal)));
            // What goes on has been told when it began.
            if next.is_none() {
                self.watch.note(now, Lane::Fault, format!("{OVER}{}", heal.over()));
            }
        }
        self.note_outages();
        // What the clock shows from here on, before anything is recorded by it.
        self.watch.look(&self.world);
        self.people.act(&mut self.world);
        for what in self.acts.act(&mut self.world, &mut self.people, &self.moments) {
            self.watch.note(now, Lane::Person, what);
        }
        if let Some(probe) = &mut self.probe {
            probe.act(&mut self.world, self.calm_ms.is_none());
        }
        self.lived |= self.world.is_up();
        self.ticks += 1;
        let ended = self.world.step();
        self.watch.look(&self.world);
        if self.world.clock.spins() {
            let how = "its loop turns and turns, and no time passes".to_owned();
            return Some(Broken { property: SPINS, at_ms: now, how });
        }
        let ended = ended?;
        self.ends += 1;
        let now = self.world.now();
        if let Err(fatal) = &ended
            && !may_end_like_this(fatal.code)
        {
            return Some(Broken { property: GIVES_UP, at_ms: now, how: fatal.to_string() });
        }
        let how = ended.map_or_else(|error| error.to_string(), |()| "as told".into());
        self.watch.note(now, Lane::Daemon, format!("the daemon ended: {how}"));
        let after = self.world.restart_after.take().map_or(RESTART_MS, Span::ms);
        self.healing.push((now + after, Heal::Start));
        None
    }

    /// What is out of order now, and what is not.
    fn note_outages(&mut self) {
        for part in Part::ALL {
            self.outages.note(part, self.world.now(), self.world.is_out(part));
        }
    }

    /// Once a daemon or the machine has died: the disk must have what people were told.
    fn look_at_what_is_left(&mut self) -> Result<(), Broken> {
        let up = self.world.is_up();
        if up || !std::mem::replace(&mut self.lived, false) {
            return Ok(());
        }
        self.looks += 1;
        let at_ms = self.world.now();
        let broken = |how: String| Broken { property: told::NAME, at_ms, how };
        // A copy: who looks must not change what the next daemon finds.
        let (_copy, db) = self.world.left_on_disk().map_err(|error| broken(error.to_string()))?;
        let store = Store::open_to_read(db).map_err(|error| broken(error.to_string()))?;
        let config = people::config();
        let evidence =
            Evidence::simulated(&self.world, &self.people, &self.outages, &config, &store).map_err(broken)?;
        look_and_count(&evidence, &mut self.looked)
    }

    /// What is due strikes.
    fn strike(&mut self) {
        let now = self.world.now();
        let mut n = 0;
        while n < self.faults.len() {
            let Planned { at, when, .. } = self.faults[n];
            let Some(due) = due(at, when, &self.world, &self.people, &self.moments) else {
                n += 1;
                continue;
            };
            let planned = self.faults.remove(n);
            if let Some(op) = self.amid(&planned, due) {
                self.world.disk.cut_at(Some(self.world.disk.ops() + op));
                self.armed = Some((planned, now + ARMED_MS));
            } else {
                self.bring_about(&planned);
            }
        }
        let is_due = |until: i64| until <= now || self.world.disk.is_frozen();
        if let Some((planned, _)) = self.armed.take_if(|(_, until)| is_due(*until)) {
            self.world.disk.cut_at(None);
            self.bring_about(&planned);
            // The daemon may have ended in the same moment, with its disk cut off under its hands.
            if self.world.disk.is_frozen() && !self.world.is_up() {
                self.world.disk.kill();
            }
        }
    }

    /// Where nothing is written, a death takes nothing: half of them wait for a write or sync, the how manyth by chance, and
    /// come amid it. By the fault's own time, so that others can be left out without a change of this one.
    fn amid(&self, planned: &Planned, due: i64) -> Option<u64> {
        /// Some turns of the daemon's loop.
        const OPS: u64 = 60;
        // A scenario that says what has to happen first means that moment.
        let dies =
            matches!(planned.fault, Fault::PowerLoss { .. } | Fault::DaemonKilled { .. }) && planned.when.is_none();
        let mut rng = fastrand::Rng::with_seed(self.amid ^ due.unsigned_abs());
        (dies && self.armed.is_none() && self.world.is_up() && rng.bool()).then(|| 1 + rng.u64(..OPS))
    }

    fn bring_about(&mut self, planned: &Planned) {
        let now = self.world.now();
        let struck = planned.fault.strike(&mut self.world);
        self.watch.look(&self.world);
        match struck {
            Struck::Nothing => return self.watch.miss(now, &planned.fault),
            Struck::Once => {}
            Struck::Lasting(heal, after) => self.healing.push((now + after.ms(), heal)),
        }
        self.watch.strike(now, &planned.fault);
        if let Some(probe) = &mut self.probe {
            probe.struck(over_ms(&planned.fault, now));
        }
        self.outages_over = self.outages_over.max(planned.fault.outage().map(|lasts| now + lasts.ms()));
    }

    /// Nothing goes wrong any more.
    fn calm(&mut self) -> Result<(), Broken> {
        self.calm_ms = Some(self.world.now());
        self.people.wake();
        let never = |planned: Planned| planned.when.map(|when| format!("{when} never: no {}", planned.fault.name()));
        let left = std::mem::take(&mut self.faults);
        // What chance planned for a day need not come about.
        if self.probe.is_none() {
            self.never = left.into_iter().filter_map(never).collect();
        }
        if let Some((planned, _)) = self.armed.take() {
            self.world.disk.cut_at(None);
            self.bring_about(&planned);
        }
        self.note_outages();
        self.look_at_what_is_left()?;
        let waiting = std::mem::take(&mut self.healing).into_iter().map(|(_, heal)| heal);
        for heal in waiting.chain(Heal::ALWAYS) {
            heal.heal(&mut self.world);
        }
        self.outages_over = self.outages_over.map(|over| over.min(self.world.now()));
        self.world.clock.set_skew(0);
        self.world.machine.fail_starts(0);
        self.world.telegram.change(|t| t.faults.heal());
        self.note_outages();
        self.watch.look(&self.world);
        Ok(())
    }
}

/// A daemon may end when it is told to, and when its disk does not let it begin.
fn may_end_like_this(code: ExitCode) -> bool {
    matches!(code, ExitCode::DiskFull | ExitCode::StateDirUnusable)
}

#[cfg(test)]
mod tests;
