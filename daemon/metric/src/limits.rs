//! The numbers that the folds go by, each with its unit and its reason. Targets and least samples stand in [`crate::table`].

/// Fixed before anything is counted: of all that was looked at, no more than so many of a hundred may be excluded.
pub const EXCLUDED_PERCENT: u64 = 5;

/// After a fault something fresh has to go through within this time.
pub const RECOVER_WITHIN_MS: i64 = 10 * 60_000;
/// What never recovered counts with this time in the mean, and so does what took longer. Six times the target: a sixth of
/// the incidents without an end breaks the mean by itself.
pub const RECOVERY_CAP_MS: i64 = 60 * 60_000;
/// Poll faults have to be of so many classes, and a class counts from so many faults on.
pub const POLL_CLASSES: u64 = 6;
/// See [`POLL_CLASSES`].
pub const POLL_CLASS_LEAST: u64 = 20;

/// The system's part: from the last that people had to do until the program began.
pub const RUNNING_WITHIN_MS: i64 = 5_000;
/// All of it, people's part too: from the last approval until the program began. In production.
pub const APPROVE_TO_RUNNING_MS: i64 = 90_000;

/// A job is played under so many schedules.
pub const SCHEDULES: usize = 5;

/// A probe asks once in so many milliseconds.
pub const SLICE_MS: i64 = 60_000;
/// A day.
pub const DAY_MS: i64 = 24 * 60 * 60_000;
/// Slices of a day.
pub const SLICES_OF_A_DAY: u64 = 24 * 60;

/// A pause in somebody's acts that ends a session.
pub const SESSION_GAP_MS: i64 = 5 * 60_000;
/// No day of anybody may take longer.
pub const DAY_MOST_MS: i64 = 120 * 60_000;

/// The keystroke-level model (Card, Moran, Newell 1980): to make up one's mind, 1.35 s.
pub const MIND_MS: u64 = 1_350;
/// To move the hand to the device, 0.40 s.
pub const HAND_MS: u64 = 400;
/// To press a key, average non-secretary typist, 0.28 s. A finger on a button is taken for the same.
pub const KEY_MS: u64 = 280;
/// So many planted bugs have to be tried, of some hundred that there are.
pub const MUTANTS_LEAST: u64 = 90;

/// Characters read in a minute: 238 words of silent reading (Brysbaert 2019, a mean over 190 studies) of five characters,
/// the space among them. Short words make for slow reading, so this errs against us.
pub const READ_PER_MINUTE: u64 = 238 * 5;

/// A property has to be asked this often of something that could break it.
pub const LOOKED_LEAST: u64 = 1_000;

/// A probe of the audit that must not fail, and fails, leaves at most this score, in points.
pub const CRITICAL_CAP: u64 = 74;

/// Failures that are named.
pub const NAMED: usize = 3;

/// Of each class of incidents this share has to be over in time, by its bound; units of a millionth.
pub const CLASS_IN_TIME: u64 = 950_000;

/// In production an answer has to be delivered within this time. Half of it is what Telegram itself may take on a bad day.
pub const ANSWER_WITHIN_MS: i64 = 10_000;
/// A card is drawn when it is sent, and the record does not keep its text: it counts as so many characters.
pub const CARD_CHARACTERS: u32 = 400;
