//! The Bot API server as a program, with a chat in the terminal in front of it: for demos, and for scripts with `--json`.

use std::io::{self, BufRead, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use mainstay_sim::botapi::http::{Clock, Shared};
use mainstay_sim::botapi::{BotId, ChatId, Limits, Server, UserId, World};
use mainstay_sim::terminal::{COMMANDS, Group, Order, Output, Person, Terminal, json, text};

const DEMO_TOKEN: &str = "100:demo";

fn main() -> ExitCode {
    match run(&command().get_matches()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mainstay-botapi: failed to {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: &ArgMatches) -> Result<(), String> {
    let server = start(flags)?;
    let people: Vec<Person> = people(flags);
    for person in &people {
        server.people(|world| world.acquaintance(person.id, &person.name));
    }
    let groups: Vec<Group> = flags.get_many("group").into_iter().flatten().cloned().collect();
    for group in &groups {
        server.people(|world| world.group_with_id(group.id, &group.title));
    }
    let screen = Screen::new(Terminal::new(people, groups), flags.get_flag("json"));
    screen.listening(&server);
    if let Some(file) = flags.get_one::<PathBuf>("port-file") {
        write_whole(file, &format!("{}\n", server.address())).map_err(|e| format!("write {}: {e}", file.display()))?;
    }
    let printer = {
        let (shared, screen) = (server.shared().clone(), screen.clone());
        std::thread::spawn(move || print_news(&shared, &screen))
    };
    let ended = read_lines(&server, &screen);
    screen.news(server.shared());
    drop(server);
    // A printer that panicked has said so already.
    let _ = printer.join();
    ended
}

fn start(flags: &ArgMatches) -> Result<Server, String> {
    let token = match flags.get_one::<PathBuf>("token-file") {
        None => DEMO_TOKEN.to_owned(),
        Some(file) => std::fs::read_to_string(file).map_err(|e| format!("read {}: {e}", file.display()))?,
    };
    if BotId::of_token(token.trim()).is_none() {
        return Err("use the token: it is not a number, a colon, and letters or digits".to_owned());
    }
    let mut world = World::new(Clock::system().now().0);
    if flags.get_flag("no-limits") {
        world.limits = Limits::none();
    }
    world.add_bot(token.trim(), "Mainstay", "mainstay_bot");
    let address = *flags.get_one::<SocketAddr>("listen").expect("it has a default");
    Server::start_at(world, address, Clock::system()).map_err(|e| format!("listen on {address}: {e}"))
}

fn people(flags: &ArgMatches) -> Vec<Person> {
    flags.get_many("user").expect("it has a default").cloned().collect()
}

/// Does what each line says, until the input ends or says so.
fn read_lines(server: &Server, screen: &Screen) -> Result<(), String> {
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|e| format!("read the input: {e}"))?;
        let now = server.clock().now();
        let reaction = screen.terminal(|terminal| terminal.line(&mut server.world(), now, &line));
        screen.show(&reaction.output);
        let moved = match reaction.order {
            None => continue,
            Some(Order::Quit) => break,
            Some(Order::Down) => server.down().map(|()| "connections are refused"),
            Some(Order::Up) => server.up().map(|()| "connections are taken again"),
        };
        screen.show(&[match moved {
            Ok(note) => Output::Note(note.to_owned()),
            Err(error) => Output::Error(error.to_string()),
        }]);
    }
    Ok(())
}

/// Prints what happens, as it happens.
fn print_news(shared: &Shared, screen: &Screen) {
    let mut seen = 0;
    while let Some(changes) = shared.wait_for_change(seen) {
        seen = changes;
        screen.news(shared);
    }
}

/// The terminal and how it is printed; shared by the thread that reads and the one that waits.
#[derive(Clone)]
struct Screen {
    terminal: Arc<Mutex<Terminal>>,
    is_json: bool,
    is_coloured: bool,
}

impl Screen {
    fn new(terminal: Terminal, is_json: bool) -> Self {
        let is_coloured = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { terminal: Arc::new(Mutex::new(terminal)), is_json, is_coloured }
    }

    fn terminal<T>(&self, act: impl FnOnce(&mut Terminal) -> T) -> T {
        act(&mut self.terminal.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn news(&self, shared: &Shared) {
        // The terminal stays locked while its news are printed: else a later batch could overtake this one.
        self.terminal(|terminal| {
            let news = shared.look(|world| terminal.news(world));
            self.show(&news);
        });
    }

    fn listening(&self, server: &Server) {
        if self.is_json {
            self.print(&format!("{}\n", serde_json::json!({ "event": "listening", "url": server.url() })));
        } else {
            self.show(&[Output::Note(format!(
                "a Bot API server is at {}; :help lists what can be typed",
                server.url()
            ))]);
        }
    }

    fn show(&self, output: &[Output]) {
        for output in output {
            if self.is_json {
                self.print(&format!("{}\n", json(output)));
            } else {
                self.print(&text(output, self.is_coloured));
            }
        }
    }

    /// If nobody reads any more there is nobody to tell; the input ends then, too.
    fn print(&self, text: &str) {
        let mut out = io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// Writes a file so that a reader finds all of it or nothing.
fn write_whole(file: &Path, content: &str) -> io::Result<()> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".unfinished");
    std::fs::write(&unfinished, content)?;
    std::fs::rename(&unfinished, file)
}

fn person(text: &str) -> Result<Person, String> {
    let (id, name) = text.split_once(':').ok_or("expected ID:NAME")?;
    let id: i64 = id.parse().ok().filter(|id| *id > 0).ok_or("the id is not a positive number")?;
    if name.trim().is_empty() {
        return Err("the name is empty".to_owned());
    }
    Ok(Person { id: UserId(id), name: name.trim().to_owned() })
}

fn group(text: &str) -> Result<Group, String> {
    let (id, title) = text.split_once(':').ok_or("expected ID:TITLE")?;
    let id: i64 = id.parse().ok().filter(|id| *id < 0).ok_or("the id is not a negative number")?;
    if title.trim().is_empty() {
        return Err("the title is empty".to_owned());
    }
    Ok(Group { id: ChatId(id), title: title.trim().to_owned() })
}

fn command() -> Command {
    let lines: Vec<String> = COMMANDS.iter().map(|(usage, what)| format!("  {usage:<36} {what}")).collect();
    let examples = "Examples:\n  \
        mainstay-botapi --listen 127.0.0.1:8081 --user 7:Ann --user 8:Bob\n  \
        mainstay-botapi --json --port-file port --token-file token < named-pipe\n  \
        curl http://127.0.0.1:8081/bot100:demo/getUpdates?timeout=30";
    Command::new("mainstay-botapi")
        .about("A Telegram Bot API server for demos and tests, with a chat in this terminal in front of it")
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .default_value("127.0.0.1:0")
                .value_parser(value_parser!(SocketAddr))
                .help("Where to listen; port 0 takes a free one"),
        )
        .arg(
            Arg::new("token-file")
                .long("token-file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help(format!("The bot's token [default: the token {DEMO_TOKEN}]")),
        )
        .arg(
            Arg::new("user")
                .long("user")
                .value_name("ID:NAME")
                .action(ArgAction::Append)
                .default_value("7:Ann")
                .value_parser(person)
                .help("Somebody at this terminal; the first one begins. May be given several times"),
        )
        .arg(
            Arg::new("group")
                .long("group")
                .value_name("ID:TITLE")
                .action(ArgAction::Append)
                .allow_hyphen_values(true)
                .value_parser(group)
                .help(
                    "A group with everybody and the bot in it, such as -1001000000001:Ops. May be given several times",
                ),
        )
        .arg(
            Arg::new("port-file")
                .long("port-file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Write the address there once the server listens"),
        )
        .arg(Arg::new("no-limits").long("no-limits").action(ArgAction::SetTrue).help("No flood control"))
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print one JSON object a line, for scripts; the input stays the same"),
        )
        .after_help(format!("What can be typed:\n{}\n\n{examples}", lines.join("\n")))
}
