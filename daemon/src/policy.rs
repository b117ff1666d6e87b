//! Every limit, in one place: unit in the name, the reason beside it, relations checked when compiled.
//!
//! What an operator may change per kind is in the configuration ([`crate::config::Kind`]); its defaults are here.
//! Times are milliseconds unless the name or the type says otherwise. [`matrix`] is the table of timeouts and retries.

pub mod matrix;

use serde::Serialize;
use std::time::Duration;

/// What an error says about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// It may be over the next time: tried again, with the pauses of its row in the table.
    Transient,
    /// It would be the same the next time: on record and told, and not tried again.
    Permanent,
    /// What is on the disk is damaged, or is another daemon's: ours ends and writes nothing.
    Corrupt,
}

/// The server waits at most this long in one long poll; configurable (`poll_timeout`). Telegram cuts at 50 s.
pub const POLL_TIMEOUT_MS: i64 = 30_000;
/// Telegram cuts longer waits silently.
pub const POLL_TIMEOUT_MAX_MS: i64 = 50_000;
/// Added to the server's wait before we give up on a poll: one slow round trip. A half-open poll thus ends after
/// at most 50 + 15 = 65 s, inside the 75 s in which polling must recover.
pub const POLL_SLACK_MS: i64 = 15_000;
/// Between two polls after a failure, doubling; a pause is never under half of it, which keeps a broken network at
/// 30 requests a minute at the most.
pub const POLL_RETRY_BASE_MS: i64 = 4_000;
/// Retry pause at most: healing is noticed within half a minute.
pub const POLL_RETRY_CAP_MS: i64 = 30_000;
/// Consecutive 409 answers before somebody else is presumed to hold the token. The first after a restart is our own old poll.
pub const POLL_CONFLICTS_BEFORE_ALARM: u32 = 3;
/// Between two polls that both answered at once, when the server kept its answer back: it merges quicker ones (0.5 s guard).
pub const POLL_GUARD_MS: i64 = 550;

/// Any call but a poll: above the 10 s that a slow server takes, below an operator's patience.
pub const CALL_GIVE_UP_MS: i64 = 20_000;
/// First retry of a message that could not be sent; doubling, full jitter. Where it is not the message's fault, all messages
/// wait for it together, and one of them tries.
pub const SEND_RETRY_BASE_MS: i64 = 1_000;
/// Longest such pause: after an outage everything begins to go out within a minute.
pub const SEND_RETRY_CAP_MS: i64 = 60_000;
/// Tries of a message whose topic is gone before it is set aside for `/inbox`; what else is refused for good is at once.
pub const SEND_REFUSALS_MAX: u32 = 2;
/// Tries after which `/ops` tells of a message that is still to be sent: one alone may be chance.
pub const SEND_FAILING_TRIES: u32 = 2;
/// Between two messages to one private chat: Telegram's published rate.
pub const CHAT_GAP_MS: i64 = 1_000;
/// The same for groups: 20 a minute.
pub const GROUP_GAP_MS: i64 = 3_000;
/// Between two calls over all chats: 30 a second.
pub const SEND_GAP_MS: i64 = 34;
/// When told to end, answers to messages under way are waited for this long: without one, a message must be marked as a
/// possible repeat.
pub const SHUTDOWN_SENDING_MS: i64 = 3_000;
/// Calls under way at once; one per chat.
pub const SENDS_AT_ONCE: usize = 4;
/// Cards shown at once to whoever comes back, or after a longer absence: more would only be a flood.
pub const CARDS_AT_ONCE_MAX: u32 = 20;
/// A chat that refused us (403) is tried again this often: unblocking normally tells us earlier.
pub const PARKED_RETRY_MS: i64 = 6 * 3_600_000;
/// Resolving, connecting and TLS together: a network that takes longer is down. Until then a call is certainly not sent.
pub const CONNECT_GIVE_UP_MS: i64 = 5_000;
/// A connection that idled longer is not used again: the server may be closing it, and a call that meets that is ambiguous.
pub const CONNECTION_IDLE_MS: i64 = 15_000;
/// After a 429 that does not say for how long. All that were seen did.
pub const FLOOD_WAIT_MS: i64 = 5_000;
/// After one that names less: a server that says "at once" to every try must not make us spin.
pub const FLOOD_WAIT_MIN_MS: i64 = 1_000;
/// Before the bot's menu is set and its name asked for again, when that failed: nobody waits for either.
pub const INTRODUCE_RETRY_MS: i64 = 60_000;
/// Largest answer to a poll, in bytes: the server puts at most 4 MiB of updates into one.
pub const POLL_ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest answer to any other call, in bytes: a message comes back with at most some 100 KiB around it.
pub const CALL_ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Where an output is cut off at its beginning, what is left begins with a whole line, or, if there is none within so many bytes,
/// behind them: no secret is longer.
pub const LOG_CUT_BYTES: usize = 4_096;
/// Longest line of progress, in bytes.
pub const PROGRESS_BYTES_MAX: usize = 500;
/// Characters kept of what a server or network says about a failed call.
pub const ERROR_CHARS_MAX: usize = 400;
/// Longest message, in UTF-16 units (Telegram's limit); longer text becomes a document.
pub const MESSAGE_UTF16_MAX: usize = 4_096;
/// Lines of the end of a document shown in its caption: with the two before them they leave room on a phone's screen.
pub const CAPTION_LINES_MAX: usize = 5;
/// Characters of each line of a caption. All six lines, with the mark of a repeat, stay below Telegram's 1024 units, even if
/// each of them counts twice.
pub const CAPTION_LINE_CHARS_MAX: usize = 80;
/// Lines of an answer in a chat, but of those that were asked to be long: more does not fit on a phone's screen.
pub const ANSWER_LINES_MAX: usize = 8;

/// Ids of supergroups (and channels) are this or less, those of plain groups greater; a group that becomes a supergroup gets
/// another id.
pub const SUPERGROUP_ID_MAX: i64 = -1_000_000_000_000;
/// Presses live this long on the server: after a longer absence the cards that wait for one are shown anew.
pub const PRESS_LIFE_MS: i64 = 150_000;
/// The shortest secret part that is believed. Telegram's have 35 characters.
pub const TOKEN_SECRET_LENGTH_MIN: usize = 10;
/// The shortest value of a secret variable that is looked for, in bytes: `true` or `8080` stand in any text.
pub const SECRET_BYTES_MIN: usize = 8;
/// Longest believed token, in bytes; also fits into a pipe at once.
pub const TOKEN_BYTES_MAX: u64 = 256;

/// A command older than this when it is read is not carried out without a confirming press (`/stop` and reading are).
pub const COMMAND_MAX_AGE_MS: i64 = 10 * 60_000;
/// A button may be pressed for this long; the card is issued again when it has to be.
pub const BUTTON_TTL_MS: i64 = 7 * 24 * 3_600_000;
/// Ignored strangers are recorded at most once per chat in this time, with the number of those since.
pub const STRANGER_RECORD_GAP_MS: i64 = 3_600_000;
/// Strangers remembered for that at once; beyond it they are counted together.
pub const STRANGERS_TRACKED_MAX: usize = 256;
/// What happened longer ago does not decide whether all is well now, nor is it counted as of late.
pub const RECENT_MS: i64 = 24 * 3_600_000;
/// What is tried again so much later than planned is told with both times in a task's story.
pub const TRACE_LATE_MS: i64 = 1_000;
/// Width of the steps in which what happened of late is counted: [`RECENT_MS`] is kept to that much. Tables are made with it: it
/// never changes.
pub const LATELY_STEP_MS: i64 = 10 * 60_000;
/// Such counts are forgotten after this time. Far longer than they are looked at: a wall clock that is set ahead for a moment
/// takes nothing with it that matters.
pub const LATELY_KEPT_MS: i64 = 30 * 24 * 3_600_000;
/// The daemon looks by itself whether all is well this often: half of the minute within which a task that should have ended
/// is told of.
pub const HEALTH_LOOK_MS: i64 = 30_000;
/// What may mend by itself is told of once it has lasted this long: a server that restarts is back by then.
pub const ALERT_HOLD_MS: i64 = 2 * 60_000;
/// What was told of is over once it has not been seen for this long. A daemon that starts in the middle of an outage has to
/// find that out anew, which takes as long as a poll.
pub const ALERT_OVER_MS: i64 = 2 * 60_000;
/// Anomalies named in one message or answer: what is beyond them is counted, and `/ops` is looked at anyway.
pub const ALERT_LINES_MAX: usize = 6;
/// A wall clock that moved this much against the boot clock was set. Both run at one speed; people do not see less.
pub const CLOCK_STEP_MS: i64 = 5_000;
/// A message that waits for longer is stuck, whatever it waits for: an answer is asked for and forgotten by then.
pub const MESSAGE_STUCK_MS: i64 = 5 * 60_000;
/// A back-up older than this is overdue, where there was ever one: two days, so that one that failed at night is noticed as
/// such before.
pub const BACKUP_OVERDUE_MS: i64 = 48 * 3_600_000;
/// Tasks with an unknown outcome that are told of one by one: a machine that was reset leaves no more than ran.
pub const UNKNOWN_LISTED_MAX: u32 = 50;
/// Running tasks that `/ops` names with their age: the oldest.
pub const RUNNING_NAMED_MAX: usize = 4;
/// Longest prompt or plan, in bytes; a Telegram message can't be longer than four times 4096.
pub const PROMPT_BYTES_MAX: usize = 64 * 1024;
/// Longest note, reason or review text kept, in bytes.
pub const NOTE_BYTES_MAX: usize = 2_000;
/// Copies of a task that one `/rerun` asks for at most: each is approved by itself, and a card for each fills a chat.
pub const RERUN_COPIES_MAX: u32 = 5;
/// Tasks shown by `/list` when it does not say how many: one line each, as in every answer.
pub const LIST_DEFAULT: u32 = 8;
/// More than this is for `logs` and the database itself.
pub const LIST_MAX: u32 = 100;
/// Rows of a list that is meant to be read by a person.
pub const LISTED_MAX: u32 = 50;
/// Lines of output shown by `/log` when it does not say how many: a phone's screen.
pub const LOG_LINES_DEFAULT: u32 = 20;
/// Lines of output shown by `/log` at most; all of it is in the attempt's folder.
pub const LOG_LINES_MAX: u32 = 1_000;
/// Output read for `/log` at most, in bytes of each stream, however long its lines are.
pub const LOG_READ_BYTES_MAX: usize = 64 * 1024;
/// Open tasks (not terminal) at most; one more is refused with a reason. Bounds what a stuck client can fill.
pub const OPEN_TASKS_MAX: i64 = 10_000;

/// Default `timeout` of a kind.
pub const TASK_TIMEOUT_MS: i64 = 30 * 60_000;
/// Default `stop_grace` of a kind: what well-behaved builds need to clean up.
pub const STOP_GRACE_MS: i64 = 10_000;
/// Largest `stop_grace` of a kind: whoever asks for a stop waits for it.
pub const STOP_GRACE_MAX_MS: i64 = 3_600_000;
/// After grace, SIGKILL and `cgroup.kill`, the tree should be empty at once; later than this it is an alarm.
pub const KILL_ALARM_MS: i64 = 5_000;
/// Default `approval_ttl`: a request nobody approved by the next working day is stale.
pub const APPROVAL_TTL_MS: i64 = 24 * 3_600_000;
/// Default `queue_ttl`.
pub const QUEUE_TTL_MS: i64 = 24 * 3_600_000;
/// Default `backoff`: first pause before a retry, doubling, full jitter.
pub const TASK_RETRY_BASE_MS: i64 = 5_000;
/// Longest pause between two attempts.
pub const TASK_RETRY_CAP_MS: i64 = 10 * 60_000;
/// Default `max_log_bytes` of each stream.
pub const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Tasks of all kinds running at once, by default.
pub const RUNNING_MAX: u32 = 32;
/// Tasks start this nice by default, so that the daemon answers while every core compiles.
pub const TASK_NICE: i32 = 10;
/// Pause before an attempt whose shim could not be started is tried again (no processes, no space). Where that is so for more
/// than one task, all wait for it together, and one of them tries.
pub const START_RETRY_MS: i64 = 5_000;
/// A shortage of the machine is forgotten when nobody has tried to start for so long after the pause: nothing waits for it.
pub const SHORTAGE_KEPT_MS: i64 = 60_000;
/// Times a shim may fail to start before the task fails for good.
pub const START_TRIES_MAX: u32 = 10;
/// While a task is set aside because of a bug of ours, other tasks' deadlines are looked for this often at the most.
pub const SET_ASIDE_LOOK_MS: i64 = 1_000;
/// A progress line changes the card at most this often.
pub const PROGRESS_GAP_MS: i64 = 5_000;
/// How long output has to be quiet, once the main process has ended, before whatever still holds it is a stray.
pub const OUTPUT_QUIET_MS: i64 = 100;
/// However much strays go on writing, they are strays after this time.
pub const OUTPUT_LINGER_MAX_MS: i64 = 2_000;
/// Between SIGTERM and SIGKILL for strays: they had their time while the main process ran.
pub const STRAY_GRACE_MS: i64 = 1_000;
/// How often whoever survived a SIGKILL (uninterruptible I/O) is looked at again.
pub const KILL_RESCAN_MS: i64 = 200;
/// Tries against a chain of forks, before waiting for the next signal.
pub const KILL_ROUNDS_MAX: u32 = 10_000;
/// Pieces read after the end: the largest pipe (1 MiB) holds no more. A stranger may hold the other end and write for ever.
pub const OUTPUT_LAST_PIECES_MAX: u32 = 16;
/// Longest pause between two tries to write a receipt, in seconds. Short enough that a freed disk is noticed soon.
pub const RECEIPT_RETRY_CAP_S: i64 = 5;
/// How long a shim may take to be ready. Generous: on a machine that swaps, failing a start helps nobody.
pub const SHIM_READY_WITHIN: Duration = Duration::from_secs(60);
/// Whoever starts shims for the daemon reads what to start within this; nothing else is done meanwhile.
pub const LAUNCH_READ_WITHIN: Duration = Duration::from_secs(2);
/// Bytes of what it reads: more than the arguments and the environment that the kernel lets a program have.
pub const LAUNCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of a shim's answer: a line with its identity, or with what failed.
pub const SHIM_ANSWER_BYTES_MAX: u64 = 16_384;
/// Least time between two reports of progress of one attempt, so that a chatty task can't keep the daemon busy.
pub const PROGRESS_PAUSE: Duration = Duration::from_millis(100);
/// How often destroying looks again for processes that were forked while it looked.
pub const DESTROY_RESCAN: Duration = Duration::from_millis(100);
/// The same for what even SIGKILL does not reach: it waits for a device, and looking costs.
pub const DESTROY_RESCAN_CAP: Duration = Duration::from_secs(5);
/// Between two tries to watch a process (no descriptors left).
pub const WATCH_RETRY: Duration = Duration::from_secs(1);

/// After a failed write or sync of the database: pause before it is opened again, doubling.
pub const STORAGE_RETRY_BASE_MS: i64 = 250;
/// Longest such pause.
pub const STORAGE_RETRY_CAP_MS: i64 = 10_000;
/// A new daemon that waits for readers of the database looks again after the pause of this try at the latest (2 s).
pub const READERS_TRIES_MAX: u32 = 3;
/// Waiting for readers of other processes to let go of a lock while the database is opened, ms.
pub const DATABASE_OPEN_WAIT_MS: u64 = 2_000;
/// The same later, ms: everybody else waits meanwhile.
pub const DATABASE_WAIT_MS: u64 = 100;
/// Below this much free space nothing new is dispatched: receipts and logs of what runs need it.
pub const DISK_RESERVE_BYTES: u64 = 64 * 1024 * 1024;
/// Below this much, what asks for more (a task, a plan) is not taken up either: what is left is for ending what runs.
pub const DISK_FULL_BYTES: u64 = 8 * 1024 * 1024;
/// Space that the database's log has reserved ahead of its end, so that stops, ends and reports can be recorded when a task
/// has filled the disk: some hundred turns of ten pages each.
pub const DATABASE_ROOM_BYTES: u64 = 4 * 1024 * 1024;
/// Page cache of the database connection: holds the hot pages of every table; memory counts (12 MiB idle in all).
pub const DATABASE_CACHE_KIB: u32 = 4_096;
/// A page of the database, in bytes. A command changes a few bytes in each of some nine pages, and the log takes pages whole:
/// half of SQLite's 4,096 makes an answer about a tenth quicker, a quarter no quicker than that (`docs/BENCHMARKS.md`).
pub const DATABASE_PAGE_BYTES: u32 = 2_048;
/// Inputs decided in one transaction at most: bounds the time to an answer.
pub const TURN_INPUTS_MAX: usize = 256;
/// Events after which the WAL is checkpointed when nothing else is to do (about one page each).
pub const CHECKPOINT_EVENTS: i64 = 1_000;
/// Events after which it is checkpointed even if something else is to do: bounds the WAL to some 100 MiB.
pub const CHECKPOINT_EVENTS_MAX: i64 = 20_000;
/// While the disk is too full to dispatch, it is looked at this often.
pub const DISK_LOOK_MS: i64 = 10_000;
/// Local connections (socket) open at once; when one more comes, the one that has been idle longest gives way.
pub const LOCAL_CONNECTIONS_MAX: usize = 256;
/// A local client that is half-way through a request, or through fetching its answers, for longer than this gives way as
/// well: the longest request takes milliseconds, and who is turned away meanwhile asks again for twice as long.
pub const LOCAL_HALFWAY_MS: i64 = 5_000;
/// Longest local request, in bytes: a prompt and its escapes.
pub const LOCAL_REQUEST_BYTES_MAX: usize = 512 * 1024;
/// Requests of one connection taken and not yet answered; more wait in the kernel's buffer, hence in the client.
pub const LOCAL_IN_FLIGHT_MAX: usize = 32;
/// Bytes held for all local connections together (half-read requests, answers nobody fetches): bounds our memory
/// whatever clients do, and leaves room for a few requests of the greatest length.
pub const LOCAL_BUFFERED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest key of a local request, in bytes; clients use 32 hex digits.
pub const LOCAL_KEY_BYTES_MAX: usize = 128;
/// How long what is left of a killed daemon is waited for. It needs milliseconds, on a busy machine more; a process that
/// is killed while it waits for its disk ends only when the disk has answered.
pub const PREDECESSOR_END_MAX: Duration = Duration::from_secs(10);
/// Between two looks at it.
pub const PREDECESSOR_END_PAUSE: Duration = Duration::from_millis(5);
/// The shortest `WatchdogSec` that is kept whatever the disk does: the database may be opened this many times between two
/// signs of life.
pub const WATCHDOG_MIN: Duration = Duration::from_secs(20);
/// The shortest `TimeoutStopSec`: messages under way are waited for first, then a slow disk. Who is killed before leaves messages
/// that have to be marked as possible repeats.
pub const STOP_WITHIN_MIN: Duration = Duration::from_secs(10);
/// In a turn that fails: to see what is there, to try, to see what came of it, and to answer questions meanwhile.
pub const OPENS_A_TURN_MAX: u64 = 4;
/// An answer takes a commit; one that takes this long will not come.
pub const CLIENT_ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// A running daemon answers `ops`, and its status page a browser, within this; `check` does not wait longer for either.
pub const CLIENT_PAGE_WITHIN: Duration = Duration::from_secs(2);
/// `check` waits no longer for another program that it asks: `systemd-analyze` needs less than a second.
pub const CHECK_TOOL_WITHIN: Duration = Duration::from_secs(20);
/// Between two looks at that program.
pub const CHECK_TOOL_PAUSE: Duration = Duration::from_millis(5);
/// The newest events that `check` replays on its copy: more than a month of a busy machine, and some seconds of work.
pub const CHECK_REPLAYED_MAX: i64 = 20_000;
/// The clock may be behind the record by so much: it was stepped back by its time service, or the events are of a machine whose
/// clock was a little ahead.
pub const CHECK_CLOCK_SLACK_MS: i64 = 5 * 60_000;
/// What a check that was killed left in the folder for copies is removed by the next one that finds it older than this: by then
/// the check that made it has ended, wherever it ran.
pub const CHECK_LEFT_BEHIND_MS: i64 = 3_600_000;
/// Symbolic links that are followed from a unit to its program: what the kernel allows.
pub const CHECK_LINKS_MAX: usize = 40;
/// Pauses before the same request is sent again: a daemon that restarts is back within these seconds.
pub const CLIENT_RESEND_PAUSES_MS: [u64; 14] =
    [20, 50, 100, 200, 300, 500, 500, 500, 1_000, 1_000, 1_000, 1_500, 1_500, 2_000];
/// Longest answer that is read.
pub const CLIENT_ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Between two looks at a task that is waited for.
pub const CLIENT_WAIT_PAUSE_MS: u64 = 500;
/// Looks without a daemon before waiting is given up: two minutes, enough for an upgrade.
pub const CLIENT_WAIT_WITHOUT_DAEMON_MAX: u32 = 240;
/// Between two looks of `ops --watch`: somebody is looking.
pub const OPS_WATCH_PAUSE: Duration = Duration::from_secs(2);
/// Back-ups kept by default: two weeks of daily ones, so that what nobody noticed for some days can still be undone.
pub const BACKUPS_KEPT: u32 = 14;
/// A back-up that takes longer than this says on a terminal how far it is, and again after as long, ms.
pub const BACKUP_PROGRESS_PAUSE_MS: i64 = 1_000;
/// Longest id of a release, in bytes: version, commit, and a word more.
pub const RELEASE_ID_BYTES_MAX: usize = 80;
/// Most bytes of a release, unpacked: ten times what one has, so that an archive that is none fills no disk.
pub const RELEASE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Most files of a release: it has some thirty.
pub const RELEASE_FILES_MAX: usize = 1_000;
/// Releases kept: what was shipped in the last weeks. Those that are needed for a way back stay beside them.
pub const RELEASES_KEPT: usize = 5;
/// A release command waits for another one's end for so long: who is killed is gone by then, who is at work is not.
pub const RELEASE_LOCK_WITHIN_MS: i64 = 1_000;
/// A new release's own check of this machine: it makes a copy of the database and brings that up to date.
pub const PREFLIGHT_WITHIN_MS: i64 = 10 * 60_000;
/// The check of a release that somebody goes back to by hand: it has run here before, and the night is short. A copy of a large
/// database takes longer, and is not waited for.
pub const PREFLIGHT_BACK_WITHIN_MS: i64 = 10_000;
/// Reading the configuration takes a program a moment.
pub const FACTS_WITHIN_MS: i64 = 20_000;
/// The back-up before a switch: as long as that of the timer may take.
pub const DEPLOY_BACKUP_WITHIN_MS: i64 = 60 * 60_000;
/// The supervisor takes a wish, or tells how it stands, within this.
pub const SUPERVISOR_WITHIN_MS: i64 = 10_000;
/// A daemon that was asked to end and has not is killed then: it ends in [`SHUTDOWN_SENDING_MS`], and one that is killed loses
/// nothing either.
pub const DEPLOY_STOP_WITHIN_MS: i64 = 8_000;
/// From the restart to the first answer. A way back takes twice this at the most: a release that never answers is left within
/// it, and the one before is back in less.
pub const DEPLOY_READY_MS: i64 = 30_000;
/// Each answer while a new release is watched: far beyond a commit on a busy disk.
pub const DEPLOY_ANSWER_MS: i64 = 10_000;
/// A new release is watched for so long before it is blessed: what happens at every start, in every turn and at every look
/// (two of [`HEALTH_LOOK_MS`]) has happened by then.
pub const DEPLOY_SOAK_MS: i64 = 60_000;
/// Between two looks at it.
pub const DEPLOY_LOOK_PAUSE: Duration = Duration::from_millis(250);
/// A release that ends so often before its first answer is no slow one.
pub const DEPLOY_CRASHES_MAX: i64 = 3;
/// Refusals of its token in a row with which a new release is left again: the one before it was let in with its own. Telegram
/// refuses a good one now and then, for a moment.
pub const DEPLOY_REFUSALS_MAX: i64 = 3;
/// A running daemon that is asked something in passing (to drain, to put on record what became of a release) answers within
/// this, or is taken for one that does not.
pub const DEPLOY_ASK_WITHIN: Duration = Duration::from_secs(10);
/// Longest output of a program that a switch runs, in bytes.
pub const DEPLOY_OUTPUT_BYTES_MAX: u64 = 1024 * 1024;
/// Between two looks while following.
pub const FOLLOW_PAUSE: Duration = Duration::from_millis(500);
/// Events whose chain is checked at every start; `verify` checks all.
pub const CHAIN_CHECKED_AT_OPEN: i64 = 100;
/// Default `keep` of the record: a year, and some weeks in which the same days of the year before can be looked at.
pub const RECORD_KEEP_MS: i64 = 400 * 24 * 3_600_000;
/// Default `max_size` of the database: small beside any disk that tasks work on, and some ten million events.
pub const RECORD_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// By age nothing is removed before the machine has been up for so long (or for `keep`, where that is less): by then its clock
/// is what its time service says, and what was removed does not come back.
pub const RECORD_CLOCK_TRUSTED_MS: i64 = 3_600_000;
/// The newest events, which are never removed: what every start checks is there.
pub const RECORD_KEPT_MIN: i64 = CHAIN_CHECKED_AT_OPEN;
/// Events removed in one turn at most: some milliseconds, so that no answer waits for it. Also the least that is worth an
/// event of its own, unless [`RECORD_KEEP_SLACK_MS`] is over.
pub const RECORD_REMOVED_AT_ONCE: u32 = 256;
/// Between two turns that remove events: what else comes in has nine tenths of the time.
pub const RECORD_REMOVAL_PAUSE_MS: i64 = 50;
/// Single events are removed so long after `keep` is over at the latest (after `keep` once more, where that is less).
pub const RECORD_KEEP_SLACK_MS: i64 = 24 * 3_600_000;
/// Whether the record is too old or too large is looked at this often, in turns that are taken anyway.
pub const RECORD_LOOK_MS: i64 = 60_000;
/// Connections accepted at once, so that a storm of them leaves time for those that are there.
pub const LOCAL_ACCEPTS_AT_ONCE_MAX: usize = 64;
/// Rounds of harvesting without a single request before others get their turn.
pub const LOCAL_HARVESTS_MAX: usize = 16;
/// More idle timers than this are closed.
pub const IDLE_TIMERS_MAX: usize = 16;
/// More than this is written though the process does not sleep.
pub const LOG_HELD_BYTES_MAX: usize = 32 * 1024;
/// Connections to the status page at once: a few browsers and a scraper. When one more comes, the oldest gives way.
pub const STATUS_CONNECTIONS_MAX: usize = 16;
/// A connection to it, from its first byte to the last of the answer: a slow client is cut off after it.
pub const STATUS_CONNECTION_WITHIN: Duration = Duration::from_secs(10);
/// Longest head of a request to it, in bytes: a browser's has about one thousand.
pub const STATUS_HEAD_BYTES_MAX: usize = 16 * 1024;
/// The page asks for itself again after so many seconds: soon enough for who watches, rare enough to leave it open.
pub const STATUS_REFRESH_S: u32 = 10;
/// Longest file, in bytes: a mistaken path must not fill the memory.
pub const CONFIG_BYTES_MAX: u64 = 1024 * 1024;
/// The longest path a Unix socket can have, in bytes, without the final zero.
pub const LOCAL_SOCKET_PATH_BYTES_MAX: usize = 107;
/// Syntax errors of a configuration told at once: after the first ones they follow from each other.
pub const CONFIG_SYNTAX_ERRORS_MAX: usize = 3;

const _: () = {
    assert!(POLL_TIMEOUT_MS <= POLL_TIMEOUT_MAX_MS);
    assert!(POLL_TIMEOUT_MAX_MS + POLL_SLACK_MS < 75_000, "polling must recover within 75 s of healing");
    assert!(tries_a_minute(POLL_RETRY_BASE_MS) <= 30, "at most 30 polls a minute while broken");
    assert!(POLL_RETRY_BASE_MS <= POLL_RETRY_CAP_MS && SEND_RETRY_BASE_MS <= SEND_RETRY_CAP_MS);
    assert!(POLL_RETRY_CAP_MS < 75_000, "the same for a poll that waits for its pause");
    assert!(CONNECT_GIVE_UP_MS < CALL_GIVE_UP_MS, "an unreachable server is told apart from a slow one");
    assert!(
        CONNECT_GIVE_UP_MS < POLL_SLACK_MS,
        "a poll that has to connect first is not given up while the server waits"
    );
    assert!(
        FLOOD_WAIT_MIN_MS <= FLOOD_WAIT_MS && FLOOD_WAIT_MIN_MS >= SEND_RETRY_BASE_MS / 2,
        "no faster than any retry"
    );
    assert!(SHUTDOWN_SENDING_MS < CALL_GIVE_UP_MS, "who ends the daemon does not wait for a call to be given up");
    assert!(
        SHUTDOWN_SENDING_MS < sum(&CLIENT_RESEND_PAUSES_MS),
        "who asks during an upgrade hears from the next daemon"
    );
    assert!(SHUTDOWN_SENDING_MS < ms(PREDECESSOR_END_MAX), "nor does the next daemon give up on one that is ending");
    assert!(LOCAL_HALFWAY_MS < sum(&CLIENT_RESEND_PAUSES_MS), "who is turned away outlasts who is slow");
    assert!(
        ms(PREDECESSOR_END_MAX) < CLIENT_WAIT_PAUSE_MS.cast_signed() * CLIENT_WAIT_WITHOUT_DAEMON_MAX as i64,
        "who waits for a task outlasts a daemon that waits for its predecessor"
    );
    assert!(
        STORAGE_RETRY_CAP_MS + (OPENS_A_TURN_MAX * DATABASE_OPEN_WAIT_MS).cast_signed() < ms(CLIENT_ANSWER_WITHIN),
        "a client waits for longer than a disk that is back is noticed"
    );
    assert!(
        ms(WATCHDOG_MIN) > 2 * (OPENS_A_TURN_MAX * DATABASE_OPEN_WAIT_MS).cast_signed(),
        "half of the watchdog's time is kept in reserve"
    );
    assert!(DATABASE_WAIT_MS <= DATABASE_OPEN_WAIT_MS);
    assert!(
        OUTPUT_LINGER_MAX_MS + STRAY_GRACE_MS < KILL_ALARM_MS && OUTPUT_QUIET_MS <= OUTPUT_LINGER_MAX_MS,
        "a shim that does its work is not taken for one that failed to"
    );
    assert!(KILL_RESCAN_MS < KILL_ALARM_MS, "it is looked at again before it is an alarm");
    assert!(SHUTDOWN_SENDING_MS < ms(STOP_WITHIN_MIN), "who is stopped has time to end");
    assert!(STOP_GRACE_MS <= STOP_GRACE_MAX_MS);
    assert!(
        PRESS_LIFE_MS < APPROVAL_TTL_MS && APPROVAL_TTL_MS <= BUTTON_TTL_MS,
        "a button lives as long as its request"
    );
    assert!(TASK_RETRY_CAP_MS < QUEUE_TTL_MS, "a retry comes before its time to live is over");
    assert!(CHECKPOINT_EVENTS <= CHECKPOINT_EVENTS_MAX);
    assert!(CHAT_GAP_MS <= GROUP_GAP_MS && SEND_GAP_MS <= CHAT_GAP_MS);
    assert!(PROMPT_BYTES_MAX * 6 < LOCAL_REQUEST_BYTES_MAX, "a prompt fits, however much of it JSON escapes");
    assert!(LOCAL_REQUEST_BYTES_MAX * 4 <= LOCAL_BUFFERED_BYTES_MAX);
    assert!(DATABASE_ROOM_BYTES < DISK_FULL_BYTES && DISK_FULL_BYTES < DISK_RESERVE_BYTES);
    assert!(CHAIN_CHECKED_AT_OPEN <= RECORD_KEPT_MIN, "what a start checks is never removed");
    assert!(LIST_DEFAULT <= LIST_MAX && LOG_LINES_DEFAULT <= LOG_LINES_MAX);
    assert!(LIST_DEFAULT as usize <= ANSWER_LINES_MAX);
    assert!((CAPTION_LINES_MAX + 1) * (2 * CAPTION_LINE_CHARS_MAX + 1) + 20 <= 1_024, "a caption fits");
    assert!(HEALTH_LOOK_MS < 60_000, "a task that should have ended is told of within a minute");
    assert!(ALERT_OVER_MS > POLL_TIMEOUT_MAX_MS + POLL_SLACK_MS + HEALTH_LOOK_MS, "a restart ends no outage");
    assert!(RECENT_MS < LATELY_KEPT_MS && RECENT_MS % LATELY_STEP_MS == 0);
    assert!(DEPLOY_STOP_WITHIN_MS > SHUTDOWN_SENDING_MS, "a daemon that ends as it should is not killed");
    assert!(
        DEPLOY_STOP_WITHIN_MS + DEPLOY_ANSWER_MS < DEPLOY_READY_MS,
        "who was killed to make room has time to come back"
    );
    assert!(
        PREFLIGHT_BACK_WITHIN_MS + ms(DEPLOY_ASK_WITHIN) + DEPLOY_STOP_WITHIN_MS + DEPLOY_READY_MS <= 60_000,
        "back by hand within a minute, whatever hangs"
    );
    assert!(2 * DEPLOY_READY_MS <= 60_000, "back within a minute, whatever the new release does");
    assert!(DEPLOY_SOAK_MS >= 2 * HEALTH_LOOK_MS, "the daemon has looked at itself while it is watched");
    assert!(TASK_RETRY_BASE_MS <= TASK_RETRY_CAP_MS && STORAGE_RETRY_BASE_MS <= STORAGE_RETRY_CAP_MS);
};

const fn ms(duration: Duration) -> i64 {
    duration.as_millis() as i64
}

const fn sum(pauses: &[u64]) -> i64 {
    let (mut all, mut n) = (0, 0);
    while n < pauses.len() {
        all += pauses[n].cast_signed();
        n += 1;
    }
    all
}

/// Tries in a minute at the most, where each pause is half of `base` (ms) at the least.
pub const fn tries_a_minute(base: i64) -> i64 {
    60_000 / (base / 2)
}

/// The pause before try `tries + 1`: full jitter over a doubling window, `base` at the least half of the first.
/// `entropy` is any uniformly distributed number.
pub fn backoff_ms(base: i64, cap: i64, tries: u32, entropy: u64) -> i64 {
    let window = base.saturating_mul(1_i64 << tries.min(20)).clamp(base, cap);
    // Full jitter keeps retries of many rows apart; the floor keeps the class's requests a minute under its number.
    let span = u64::try_from(window - base / 2).unwrap_or(0) + 1;
    base / 2 + i64::try_from(entropy % span).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_stays_between_half_its_base_and_its_cap() {
        for tries in [0, 1, 5, 20, 63, u32::MAX] {
            for entropy in [0, 1, 999, u64::MAX, u64::MAX / 3] {
                let pause = backoff_ms(1_000, 60_000, tries, entropy);
                assert!((500..=60_000).contains(&pause), "{tries} {entropy} {pause}");
            }
        }
    }
}
