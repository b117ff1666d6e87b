use super::*;

#[test]
fn what_strikes_nothing_says_so() {
    let _alone = crate::vfs::alone();
    let make = crate::world::Make {
        seed: 1,
        tick: std::time::Duration::from_millis(100),
        disk: disk::Profile::SMALL_SECTORS,
        config: people::config(),
    };
    let mut world = World::new(make, |telegram| people::move_in(&mut telegram.people(Millis(0))));
    // Nothing runs, nobody has said anything, and a clock can be set to what it shows.
    let lasts = Span(1_000);
    for fault in [
        Fault::ShimKilled { job: None },
        Fault::ProcessStuck { lasts },
        Fault::UpdateRepeated { fresh: false },
        Fault::UpdateRepeated { fresh: true },
        Fault::ClockSet { by_seconds: 0 },
        Fault::ClockDrifts { by_ms: 0, lasts },
    ] {
        assert_eq!(fault.strike(&mut world), Struck::Nothing, "{fault:?}");
    }
    let kill = Fault::DaemonKilled { down: lasts };
    assert_eq!(kill.strike(&mut world), Struck::Lasting(Heal::Start, lasts));
    // There is nobody any more to kill or to tell, and what is off can't lose its power.
    assert_eq!(kill.strike(&mut world), Struck::Nothing);
    assert_eq!(Fault::DaemonStopped { down: lasts }.strike(&mut world), Struck::Nothing);
    let power = Fault::PowerLoss { off: lasts, left: Left::Any };
    assert_eq!(power.strike(&mut world), Struck::Lasting(Heal::Boot, lasts));
    assert_eq!(power.strike(&mut world), Struck::Nothing);
    assert_eq!(Fault::ClockSet { by_seconds: 5 }.strike(&mut world), Struck::Once);
}

#[test]
fn the_table_says_of_each_fault_what_serde_does() {
    for kind in KINDS {
        let mut rng = fastrand::Rng::with_seed(1);
        let Some(draw) = kind.draw else { continue };
        let whole = toml::Table::try_from(draw(&mut rng)).expect("a fault is a table");
        assert_eq!(whole["fault"].as_str(), Some(kind.name));
        let mut least = whole.clone();
        for key in kind.keys {
            if key.rule.default.is_some() {
                least.remove(key.name);
            }
        }
        let usual: Fault = least.try_into().unwrap_or_else(|error| panic!("{}: {error}", kind.name));
        let usual = toml::Table::try_from(usual).expect("a fault is a table");
        for key in kind.keys {
            let Some(default) = key.rule.default.filter(|default| !default.is_empty()) else { continue };
            assert_eq!(usual[key.name].to_string().trim_matches('"'), default, "{} of {}", key.name, kind.name);
        }
        assert_eq!(usual.len(), 1 + kind.keys.iter().filter(|key| key.rule.default != Some("")).count());
    }
}
