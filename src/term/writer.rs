//! The thread that writes frames to the terminal, one at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use super::events::Outlet;
use super::tty::Tty;
use super::{TermError, TermEvent};

/// Its `Drop` waits until the frame in flight is written or abandoned.
pub(super) struct Writer {
    frames: Option<Sender<Vec<u8>>>,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    busy: AtomicBool,
    lost: AtomicBool,
}

impl Writer {
    pub(super) fn spawn(tty: Arc<Tty>, outlet: Outlet) -> Result<Self, TermError> {
        let (frames, waiting) = mpsc::channel();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let thread = thread::Builder::new()
            .name("frames".into())
            .spawn(move || write_all(&waiting, &tty, &shared, &outlet))
            .map_err(|source| TermError::Thread { name: "frame", source })?;
        Ok(Self { frames: Some(frames), state, thread: Some(thread) })
    }

    /// Whether no frame is in flight.
    pub(super) fn is_idle(&self) -> bool {
        !self.state.busy.load(Ordering::Acquire)
    }

    /// Whether a frame was lost since the last call: the terminal then shows something else than expected.
    pub(super) fn has_lost_a_frame(&self) -> bool {
        self.state.lost.swap(false, Ordering::AcqRel)
    }

    pub(super) fn submit(&self, frame: Vec<u8>) {
        self.state.busy.store(true, Ordering::Release);
        if let Some(frames) = &self.frames {
            // The thread lives as long as `self`.
            let _ = frames.send(frame);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.frames = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write_all(frames: &Receiver<Vec<u8>>, tty: &Tty, state: &State, outlet: &Outlet) {
    for frame in frames {
        let written = tty.write_frame(&frame);
        state.lost.fetch_or(!matches!(written, Ok(true)), Ordering::AcqRel);
        state.busy.store(false, Ordering::Release);
        outlet.send(match written {
            Ok(_) => TermEvent::FrameWritten,
            Err(error) => TermEvent::WriteFailed(error.to_string()),
        });
    }
}
