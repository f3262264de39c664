//! Draws in memory, and sends the changes as one frame.

use std::convert::Infallible;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::queue;
use crossterm::style::ResetColor;
use crossterm::terminal::{self, BeginSynchronizedUpdate, Clear, EndSynchronizedUpdate};
use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Rect, Size};
use ratatui::{Frame, Terminal};

use super::encode::{self, encoded};
use super::writer::Writer;
use super::{ColorDepth, Copied, clipboard, color};

/// The whole terminal as a ratatui screen.
///
/// At most one frame is in flight. Meanwhile [`draw`](Self::draw) returns `false` and the caller continues:
/// [`TermEvent::FrameWritten`](super::TermEvent::FrameWritten) says when to try again. So a terminal that nobody reads
/// delays only frames.
pub struct Screen {
    terminal: Terminal<Canvas>,
    writer: Writer,
    depth: ColorDepth,
    sent: usize,
}

impl Screen {
    pub(super) fn new(size: Size, depth: ColorDepth, writer: Writer) -> Self {
        let Ok(terminal) = Terminal::new(Canvas::new(size));
        let mut screen = Self { terminal, writer, depth, sent: 0 };
        screen.repaint();
        screen
    }

    /// The size of the next frame, in cells.
    pub fn size(&self) -> Size {
        self.terminal.backend().size
    }

    /// Whether [`draw`](Self::draw) would draw: no frame is in flight, and the size is not zero.
    pub fn ready(&self) -> bool {
        self.writer.is_idle() && !Rect::from(self.size()).is_empty()
    }

    /// Draws a frame and sends its differences from the previous one. Never waits for the terminal.
    ///
    /// `false`: nothing was drawn, because the screen was not [`ready`](Self::ready). `true` without changes sends no
    /// bytes, and no `FrameWritten` follows.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> bool {
        if !self.ready() {
            return false;
        }
        if self.writer.has_lost_a_frame() {
            self.repaint();
        }
        let depth = self.depth;
        let Ok(_) = self.terminal.draw(|frame| {
            render(frame);
            color::settle(frame.buffer_mut(), depth);
        });
        if let Some(frame) = self.terminal.backend_mut().take_frame() {
            self.sent += frame.len();
            self.writer.submit(frame);
        }
        true
    }

    /// Total bytes of all frames.
    pub fn bytes_sent(&self) -> usize {
        self.sent
    }

    /// Sets a new size: the next frame uses it and repaints everything.
    pub fn resize(&mut self, width: u16, height: u16) {
        self.terminal.backend_mut().size = Size { width, height };
        self.repaint();
    }

    /// Makes the next frame clear the terminal and draw every cell.
    pub fn repaint(&mut self) {
        // `Terminal::clear` would ask the terminal for the cursor first.
        let Ok(()) = self.terminal.resize(Rect::from(self.size()));
    }

    /// Requests, with the next frame, that the terminal puts this text on the clipboard of its machine.
    pub fn copy(&mut self, text: &str) -> Copied {
        let Some(request) = clipboard::copy(text) else { return Copied::TooLong };
        self.terminal.backend_mut().request = request;
        clipboard::sent(|name| std::env::var(name).ok())
    }
}

/// ratatui's backend: bytes in memory. Never asks the terminal for anything.
struct Canvas {
    bytes: Vec<u8>,
    /// Sent with the next frame, even without changes.
    request: Vec<u8>,
    size: Size,
    cursor: Option<Position>,
    drawn_cursor: Option<Position>,
}

impl Canvas {
    fn new(size: Size) -> Self {
        Self { bytes: Vec::new(), request: Vec::new(), size, cursor: None, drawn_cursor: None }
    }

    /// Bytes drawn since the last call, ready to be written; `None` without changes.
    fn take_frame(&mut self) -> Option<Vec<u8>> {
        let moved = self.cursor != self.drawn_cursor;
        if self.bytes.is_empty() && self.request.is_empty() && !moved {
            return None;
        }
        // A terminal that supports synchronised updates shows the frame as a whole.
        let frame = encoded(|frame| {
            queue!(frame, BeginSynchronizedUpdate)?;
            // Drawing moves a visible cursor: hide it during the frame and place it afterwards.
            if self.drawn_cursor.is_some() {
                queue!(frame, Hide)?;
            }
            frame.append(&mut self.bytes);
            frame.append(&mut self.request);
            if let Some(Position { x, y }) = self.cursor {
                queue!(frame, MoveTo(x, y), Show)?;
            }
            queue!(frame, EndSynchronizedUpdate)
        });
        self.drawn_cursor = self.cursor;
        Some(frame)
    }
}

impl Backend for Canvas {
    type Error = Infallible;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Infallible>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        encode::cells(content, &mut self.bytes);
        Ok(())
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        self.cursor = None;
        Ok(())
    }

    /// ratatui sets the position right after this call.
    fn show_cursor(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        Ok(self.cursor.unwrap_or_default())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Infallible> {
        self.cursor = Some(position.into());
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        self.clear_region(ClearType::All)
    }

    /// A full screen is always cleared as a whole, so earlier bytes are obsolete.
    fn clear_region(&mut self, _: ClearType) -> Result<(), Infallible> {
        // After a lost frame, style and cursor are unknown, and clearing uses the current style.
        self.bytes = encoded(|bytes| queue!(bytes, ResetColor, Clear(terminal::ClearType::All)));
        self.drawn_cursor = Some(Position::MAX);
        Ok(())
    }

    fn size(&self) -> Result<Size, Infallible> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
