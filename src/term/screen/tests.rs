use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use ratatui::style::Stylize;

use super::*;
use crate::term::TermEvent;
use crate::term::events::Outlet;
use crate::term::tty::Tty;
use crate::term::tty::tests::{pair, waiting};

const SIZE: Size = Size { width: 10, height: 2 };

struct Setting {
    master: OwnedFd,
    tty: Arc<Tty>,
    events: Receiver<TermEvent>,
    screen: Screen,
}

fn setting() -> Setting {
    let (master, tty) = pair();
    let tty = Arc::new(tty);
    tty.reopen();
    let (sender, events) = mpsc::channel();
    let writer = Writer::spawn(Arc::clone(&tty), Outlet::new(sender)).unwrap();
    Setting { master, tty, events, screen: Screen::new(SIZE, ColorDepth::TrueColor, writer) }
}

impl Setting {
    /// Draws, waits for the write, and returns the bytes that arrived.
    fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> String {
        assert!(self.screen.draw(render));
        let event = self.events.recv_timeout(Duration::from_secs(5)).unwrap();
        assert!(matches!(event, TermEvent::FrameWritten), "{event:?}");
        String::from_utf8(waiting(&self.master)).unwrap()
    }
}

fn hello(frame: &mut Frame<'_>) {
    frame.render_widget("hello".bold(), frame.area());
}

#[test]
fn the_first_frame_clears_and_the_next_sends_the_difference() {
    let mut setting = setting();
    assert_eq!(
        setting.draw(hello),
        "\x1b[?2026h\x1b[?25l\x1b[0m\x1b[2J\x1b[1;1H\x1b[1mhello\x1b[0m\x1b[?2026l"
    );
    assert_eq!(
        setting.draw(|frame| frame.render_widget("hallo".bold(), frame.area())),
        "\x1b[?2026h\x1b[1;2H\x1b[1ma\x1b[0m\x1b[?2026l"
    );
}

#[test]
fn nothing_changed_sends_nothing_and_stays_ready() {
    let mut setting = setting();
    setting.draw(hello);
    assert!(setting.screen.draw(hello) && setting.screen.ready());
    assert_eq!(waiting(&setting.master), b"");
    assert!(setting.events.try_recv().is_err());
}

#[test]
fn a_visible_cursor_is_hidden_while_a_frame_is_drawn_and_moves_without_one() {
    let mut setting = setting();
    setting.draw(hello);
    let at = |x| {
        move |frame: &mut Frame<'_>| {
            hello(frame);
            frame.set_cursor_position((x, 0));
        }
    };
    assert_eq!(setting.draw(at(3)), "\x1b[?2026h\x1b[1;4H\x1b[?25h\x1b[?2026l");
    assert_eq!(setting.draw(at(4)), "\x1b[?2026h\x1b[?25l\x1b[1;5H\x1b[?25h\x1b[?2026l");
    assert_eq!(setting.draw(hello), "\x1b[?2026h\x1b[?25l\x1b[?2026l");
}

#[test]
fn a_copy_goes_out_once_with_the_next_frame() {
    let mut setting = setting();
    setting.draw(hello);
    assert_ne!(setting.screen.copy("\x1b7"), Copied::TooLong);
    // A copy that is too long does not affect the pending one.
    assert_eq!(setting.screen.copy(&"x".repeat(1 << 20)), Copied::TooLong);
    assert_eq!(setting.draw(hello), "\x1b[?2026h\x1b]52;c;Gzc=\x1b\\\x1b[?2026l");
    assert!(setting.screen.draw(hello));
    assert_eq!(waiting(&setting.master), b"");
}

#[test]
fn after_a_lost_frame_everything_is_repainted() {
    let mut setting = setting();
    let first = setting.draw(hello);
    setting.tty.write_last(b"", Duration::ZERO);
    assert_eq!(setting.draw(|_| {}), "");
    setting.tty.reopen();
    assert_eq!(setting.draw(hello), first);
}

#[test]
fn without_a_size_there_is_no_frame() {
    let mut setting = setting();
    setting.draw(hello);
    for (width, height) in [(0, 0), (0, 5), (5, 0)] {
        setting.screen.resize(width, height);
        assert!(!setting.screen.draw(hello));
    }
    setting.screen.resize(3, 1);
    assert!(setting.draw(hello).contains("\x1b[2J\x1b[1;1H\x1b[1mhel\x1b[0m"));
}

#[test]
fn a_cell_with_control_characters_does_not_reach_the_terminal() {
    let mut setting = setting();
    let sent = setting.draw(|frame| {
        frame.buffer_mut()[(0, 0)].set_symbol("\x1b]52;c;eA==\x07");
    });
    assert!(sent.contains('?') && !sent.contains("]52"), "{sent:?}");
}
