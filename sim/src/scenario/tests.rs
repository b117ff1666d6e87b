use super::*;

const WHOLE: &str = "about = 'x'\nlasts = '1m'\n[[job]]\nat = '1s'\nkind = 'build'\n";

/// Line, column and the whole complaint of each thing that is wrong.
fn wrongs(text: &str) -> Vec<(usize, usize, String)> {
    let wrongs = check::check(text).expect_err(text);
    wrongs
        .iter()
        .map(|wrong| (wrong.place(text).0, wrong.place(text).1, format!("{} = {}", wrong.what, wrong.hint)))
        .collect()
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_what_would_be_right() {
    assert!(Scenario::parse(WHOLE).is_ok());
    let kill = "[[fault]]\nfault = 'daemon-killed'\n";
    for (more, line, column, part) in [
        ("bogus = 1\n", 6, 1, "[[job]] has no \"bogus\""),
        ("vai = 'group'\n", 6, 1, "did you mean \"via\"?"),
        ("via = 'grop'\n", 6, 7, "did you mean \"group\"?"),
        ("by = 'anna'\n", 6, 6, "did you mean \"ana\"?"),
        ("does = 'exit:0@20s'\n", 6, 8, "times in ms without a unit"),
        ("does = 'hagn'\n", 6, 8, "did you mean \"hang\"?"),
        ("ends = 'SUCCEDED'\n", 6, 8, "did you mean \"SUCCEEDED\"?"),
        ("ends = 'FAILED unkown'\n", 6, 8, "did you mean \"unknown\"?"),
        ("runs = '1'\n", 6, 8, "without quotes"),
        ("runs = 1.5\n", 6, 8, "a whole number"),
        ("attempts = 'two'\n", 6, 12, "at least 2"),
        ("stop_after = 5\n", 6, 14, "\"30s\""),
        ("left_alone = 'yes'\n", 6, 14, "true or false"),
        ("via = 'cli'\nby = 'ben'\n", 6, 7, "the command line is ana's"),
        (kill, 6, 1, "at = \"10s\""),
        ("[[fault]]\nwhen = 'job 2 runs'\nfault = 'daemon-killed'\n", 7, 8, "there is no job 2"),
        ("[[fault]]\nwhen = 'job 1 run'\nfault = 'daemon-killed'\n", 7, 8, "did you mean \"job 1 runs\"?"),
        ("[[fault]]\nat = '3 s'\nfault = 'daemon-killed'\n", 7, 6, "no length of time"),
        ("[[fault]]\nat = '2m'\nfault = 'daemon-killed'\n", 7, 6, "after the end"),
        ("[[fault]]\nat = '3s'\nfault = 'daemon-kiled'\n", 8, 9, "did you mean \"daemon-killed\"?"),
        ("[[fault]]\nat = '3s'\n", 6, 1, "[[fault]] needs \"fault\""),
        ("[[fault]]\nat = '3s'\nfault = 'daemon-killed'\ndwon = '1s'\n", 9, 1, "did you mean \"down\"?"),
        ("[[fault]]\nat = '3s'\nfault = 'line-cut'\n", 6, 1, "needs \"lasts\""),
        ("[[fault]]\nat = '3s'\nfault = 'telegram'\nanswer = '492'\nlasts = '1s'\n", 9, 10, "did you mean \"429\"?"),
        ("[[fault]]\nat = '3s'\nfault = 'shim-killed'\njob = 7\n", 9, 7, "the one [[job]] is job 1"),
        ("[[says]]\nat = '3s'\ntext = '/stop {job 4}'\n", 8, 8, "there is no job 4"),
        ("[[says]]\nat = '3s'\ntext = '/stop {1}'\n", 8, 8, "written {job 1}"),
        ("[[presses]]\nat = '3s'\njob = 1\nbutton = 'Aprove'\n", 9, 10, "did you mean \"Approve\"?"),
        ("[presses]\nat = '3s'\n", 6, 1, "[[presses]]"),
        ("[expect]\nrepeat = 0\n", 7, 1, "did you mean \"repeats\"?"),
        ("[expect.on_record]\nreplayd = 0\n", 7, 1, "did you mean \"replayed\"?"),
        ("[swarm]\njobs = [3]\nfaults = 1\n", 7, 8, "[3, 12]"),
        ("[swarm]\njobs = [3, 1]\nfaults = 1\n", 7, 8, "the smaller one first"),
        ("kind = 'note'\n", 6, 1, "duplicate key"),
        ("does = hang\n", 6, 8, "texts stand in quotes"),
    ] {
        let found = wrongs(&format!("{WHOLE}{more}"));
        let is_it = |(l, c, what): &(usize, usize, String)| (*l, *c) == (line, column) && what.contains(part);
        assert!(found.iter().any(is_it), "{more}{found:#?}");
        assert_eq!(found.len(), 1, "one mistake, one complaint: {more}{found:#?}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once_in_the_order_of_the_file() {
    let text =
        "about = 'x'\nlasts = 60\ntikc = '1s'\n[[job]]\nat = '1 s'\nkind = 'biuld'\n[[fault]]\nfault = 'nothing'\n";
    let lines: Vec<usize> = wrongs(text).into_iter().map(|(line, _, _)| line).collect();
    assert_eq!(lines, [2, 3, 5, 6, 7, 8]);
    let told = Scenario::parse(text).expect_err("it is wrong");
    assert!(
        told.contains("scenario:6:8: kind: there is no \"biuld\"\n  |\n6 | kind = 'biuld'\n  |        ^^^^^^^\n"),
        "{told}"
    );
}

#[test]
fn a_new_scenario_is_right_as_it_is() {
    let scenario = Scenario::parse(template::text()).unwrap_or_else(|error| panic!("{error}"));
    assert!(story::tell(&scenario).contains("ana asks in the group for job 1"));
}

/// A few bytes of a scenario are changed, at random: it is read, or told to be wrong at a place of the file. What the grammar
/// lets through the types can hold.
#[test]
fn garbage_is_told_to_be_wrong_and_nothing_panics() {
    let pieces =
        ["[[", "]]", "=", "\"", "'", "{", "}", "\n", "#", "job", "ä", "-1", "1e9", "0x", "\u{0}", "true", "1979-05-27"];
    let mut read = 0;
    for seed in 0..3_000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut text: Vec<char> = template::text().chars().collect();
        for _ in 0..rng.usize(1..5) {
            let at = rng.usize(0..text.len());
            match rng.u8(0..3) {
                0 => drop(text.remove(at)),
                1 => text[at] = char::from(rng.u8(32..127)),
                _ => drop(text.splice(at..at, pieces[rng.usize(..pieces.len())].chars())),
            }
        }
        let text: String = text.into_iter().collect();
        match check::check(&text) {
            Ok(_) => read += 1,
            Err(wrongs) => {
                assert!(!wrongs.is_empty());
                for wrong in wrongs {
                    assert!(wrong.place(&text).0 <= text.lines().count() + 1, "{text}");
                    assert!(!wrong.what.contains("invalid type") && !wrong.what.contains("unknown field"), "{wrong:?}");
                }
                assert!(Scenario::parse(&text).is_err_and(|told| !told.is_empty()));
            }
        }
    }
    assert!((100..2_900).contains(&read), "some are still right, most are not: {read}");
}

/// The fields that serde knows of a type: its complaint about one that it does not know names them all.
fn fields<T: serde::de::DeserializeOwned + std::fmt::Debug>() -> Vec<String> {
    let told = toml::from_str::<T>("'?' = 1").expect_err("no type has such a field").message().to_owned();
    told.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_grammar_and_the_types_know_the_same_keys() {
    fn same<T: serde::de::DeserializeOwned + std::fmt::Debug>(keys: &'static [grammar::Key]) {
        let (mut known, mut said): (Vec<String>, Vec<&str>) = (fields::<T>(), grammar::names(keys).collect());
        known.sort();
        said.sort_unstable();
        assert_eq!(known, said);
    }
    same::<Scenario>(grammar::FILE);
    same::<Job>(grammar::JOB);
    same::<Says>(grammar::SAYS);
    same::<Presses>(grammar::PRESSES);
    same::<Expect>(grammar::EXPECT);
    same::<Swarm>(grammar::SWARM);
}

#[test]
fn every_outcome_can_be_expected() {
    use mainstay::task::Outcome;
    let told = serde_json::from_str::<Outcome>("\"?\"").expect_err("no such outcome").to_string();
    let known: Vec<&str> = told.split('`').skip(3).step_by(2).collect();
    assert_eq!(known, check::OUTCOMES);
}

#[test]
fn what_is_written_down_is_read_again_as_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    for entry in std::fs::read_dir(folder).expect("the scenarios").flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "toml") {
            let scenario = Scenario::read(&entry.path()).unwrap_or_else(|error| panic!("{error}"));
            let text = toml::to_string(&scenario).expect("a scenario can be written");
            assert_eq!(Scenario::parse(&text), Ok(scenario), "{text}");
        }
    }
}
