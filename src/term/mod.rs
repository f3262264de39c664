//! The borrowed terminal.
//!
//! ```text
//!  Session ── takes the terminal, gives it back on every way out ──────────── guard, suspend
//!   ├─ keys      bytes of the terminal ──> TermEvent::{Key, Paste, HangUp} ─── input, keys
//!   ├─ signals   the process's signals ──> TermEvent::{Signal, Resize, …} ──── signals
//!   ├─ crashes   give the terminal back ─────────────────────────────────────── crash, stderr
//!   ├─ panics    of any other thread ────> TermEvent::WorkerPanicked ───────── guard
//!   └─ Screen    ratatui in memory ──> what changed, as bytes ──────── screen, encode, color, clipboard
//!       └─ frames    one frame at a time ──> terminal, TermEvent::FrameWritten  writer
//! ```
//!
//! The terminal may be slow, stuck or gone at any time. Only the frame thread ever waits for it, only one question is
//! asked of it, before the first frame and with a time limit, and all access to its file is in `tty`.

mod capability;
mod clipboard;
mod color;
mod crash;
mod encode;
mod error;
mod events;
mod ground;
mod guard;
mod input;
mod keys;
mod screen;
mod session;
mod signals;
mod stderr;
mod suspend;
mod tty;
mod writer;

pub use crate::sanitize::sanitize;
pub use capability::{Capabilities, ColorChoice, ColorDepth, Environment, Glyphs, Looks, ThemeChoice};
pub use clipboard::Copied;
pub use error::TermError;
pub use events::{SignalKind, TermEvent};
pub use ground::Ground;
pub use screen::Screen;
pub use session::{Farewell, Session};
pub use signals::{survive_file_size_limit, watch_without_a_screen};
pub use suspend::Suspension;
