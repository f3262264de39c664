//! Where the app is drawn.

use crate::app::App;
use crate::term::{Copied, Session, Suspension, TermError};
use crate::view;

/// Where the app is drawn.
pub trait Display {
    /// Draws the app and returns the number of bytes written; `None` while the previous frame is still on its way.
    fn draw(&mut self, app: &App) -> Option<usize>;
    /// Records the new size.
    fn resize(&mut self, width: u16, height: u16);
    /// Makes the next frame draw every cell.
    fn repaint(&mut self);
    /// Copies text to the terminal's clipboard.
    fn copy(&mut self, text: &str) -> Copied;
    /// Releases the terminal until the process is continued; returns the reason if that is impossible.
    ///
    /// # Errors
    /// When the terminal cannot be reclaimed.
    fn suspend(&mut self) -> Result<Option<&'static str>, TermError>;
    /// Reclaims the terminal after the process was continued from outside.
    ///
    /// # Errors
    /// When it cannot be reclaimed.
    fn reclaim(&mut self) -> Result<(), TermError>;
}

impl Display for Session {
    fn draw(&mut self, app: &App) -> Option<usize> {
        let screen = self.screen();
        let before = screen.bytes_sent();
        screen.draw(|frame| view::draw(frame, app)).then(|| screen.bytes_sent() - before)
    }

    fn resize(&mut self, width: u16, height: u16) {
        self.screen().resize(width, height);
    }

    fn repaint(&mut self) {
        self.screen().repaint();
    }

    fn copy(&mut self, text: &str) -> Copied {
        self.screen().copy(text)
    }

    fn suspend(&mut self) -> Result<Option<&'static str>, TermError> {
        Ok(match Session::suspend(self)? {
            Suspension::Resumed => None,
            Suspension::Refused(why) => Some(why),
        })
    }

    fn reclaim(&mut self) -> Result<(), TermError> {
        Session::reclaim(self)
    }
}
