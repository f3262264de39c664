//! A session: the borrowed terminal, and the threads that serve it.

use std::io::{self, PipeWriter};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Signal, kill_current_process_group};

use super::events::Outlet;
use super::ground::{Ground, PATIENCE, QUESTION};
use super::signals::{self, Continuation};
use super::suspend::{Suspension, objection};
use super::tty::Tty;
use super::writer::Writer;
use super::{Capabilities, Screen, SignalKind, TermError, TermEvent, crash, guard, input};

/// Time limit for a stop to take effect.
const TIME_TO_STOP: Duration = Duration::from_secs(1);

/// The borrowed terminal. Restored by [`finish`](Self::finish), by a drop, by a panic of the thread that started it,
/// and at the end of the time that a signal allows.
pub struct Session {
    screen: Screen,
    capabilities: Capabilities,
    tty: Arc<Tty>,
    continuation: Arc<Continuation>,
    keys: Option<JoinHandle<()>>,
    /// Dropping this ends the key thread.
    stop: Option<PipeWriter>,
}

impl Session {
    /// Borrows the terminal: raw mode, alternate screen, no cursor, bracketed paste. From now on `sender` receives
    /// keys, signals, the results of frames, and panics of other threads.
    ///
    /// A lone escape becomes a key when nothing follows within `esc_delay`.
    ///
    /// The calling thread owns the screen: if it panics, the terminal is restored before the message is printed.
    ///
    /// # Errors
    /// When the terminal cannot be opened or set up, or is already borrowed; it is then unchanged.
    pub fn start<T>(
        capabilities: Capabilities,
        esc_delay: Duration,
        sender: Sender<T>,
    ) -> Result<Self, TermError>
    where
        T: From<TermEvent> + Send + 'static,
    {
        let outlet = Outlet::new(sender);
        guard::own(outlet.clone())?;
        Self::set_up(capabilities, esc_delay, outlet).inspect_err(|_| {
            guard::give_back();
            guard::disown();
        })
    }

    fn set_up(capabilities: Capabilities, esc_delay: Duration, outlet: Outlet) -> Result<Self, TermError> {
        let tty = Arc::new(Tty::open()?);
        let keep_training = signals::hang_up_is_ignored();
        let continuation = Arc::new(Continuation::default());
        // Watch signals before the terminal changes: a signal in between would leave it changed.
        signals::watch(&tty, outlet.clone(), Arc::clone(&continuation))?;
        crash::watch();
        guard::borrow(&tty)?;
        let (stopped, stop) = io::pipe().map_err(TermError::cannot("watch"))?;
        let hung_up = {
            let outlet = outlet.clone();
            move || {
                if let Some(status) = SignalKind::HANG_UP.exit_code().filter(|_| !keep_training) {
                    signals::leave_in_time(status);
                }
                outlet.send(TermEvent::HangUp { keep_training });
            }
        };
        let (grounds, answer) = sync_channel(1);
        let keys = input::spawn(Arc::clone(&tty), esc_delay, stopped, outlet.clone(), grounds, hung_up)?;
        let ground = if capabilities.must_ask() { ask(&tty, &answer) } else { capabilities.ground };
        let capabilities = capabilities.on(ground);
        let writer = Writer::spawn(Arc::clone(&tty), outlet)?;
        let screen = Screen::new(tty.size(), capabilities.color, writer);
        Ok(Self { screen, capabilities, tty, continuation, keys: Some(keys), stop: Some(stop) })
    }

    /// Capabilities of the terminal, including its answer about the background.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// The screen to draw on.
    pub fn screen(&mut self) -> &mut Screen {
        &mut self.screen
    }

    /// Restores the terminal, stops the whole job, and takes the terminal again when the shell continues the job. The
    /// next frame repaints everything at the current size.
    ///
    /// # Errors
    /// When the job cannot be stopped, or the terminal cannot be taken again.
    pub fn suspend(&mut self) -> Result<Suspension, TermError> {
        if let Some(objection) = objection() {
            return Ok(Suspension::Refused(objection));
        }
        guard::give_back();
        self.continuation.expect();
        let stopped = kill_current_process_group(Signal::STOP);
        if stopped.is_ok() {
            // The stop reaches this thread only shortly after the call has returned.
            self.continuation.wait(TIME_TO_STOP);
        }
        self.reclaim()?;
        stopped.map_err(TermError::cannot("stop the job on"))?;
        Ok(Suspension::Resumed)
    }

    /// Takes the terminal again after [`TermEvent::Continued`]: the shell has used it in between.
    ///
    /// # Errors
    /// When the terminal cannot be set up, unless it is gone: then [`TermEvent::HangUp`] reports that.
    pub fn reclaim(&mut self) -> Result<(), TermError> {
        match guard::reclaim(&self.tty) {
            Err(_) if self.tty.is_hung_up() => return Ok(()),
            reclaimed => reclaimed?,
        }
        let size = self.tty.size();
        self.screen.resize(size.width, size.height);
        Ok(())
    }

    /// Restores the terminal and ends the threads. Signals are still watched, so that the last state is saved: a
    /// process that must leave now has ten seconds.
    pub fn finish(self) -> Farewell {
        Farewell(Arc::clone(&self.tty))
    }
}

/// The restored terminal, for a last line.
pub struct Farewell(Arc<Tty>);

impl Farewell {
    /// Writes a line, unless the terminal is stuck or another job uses it.
    pub fn say(&self, line: &str) {
        if self.0.is_ours() {
            // A terminal that is stuck or gone must not hold up the exit.
            let _ = self.0.write_within(format!("{line}\n").as_bytes(), PATIENCE);
        }
    }
}

/// The terminal's answer about its background, if it arrives in time.
fn ask(tty: &Tty, answer: &Receiver<Option<Ground>>) -> Option<Ground> {
    let asked = tty.write_within(QUESTION, PATIENCE).ok()?;
    asked.then(|| answer.recv_timeout(PATIENCE).ok().flatten()).flatten()
}

impl Drop for Session {
    fn drop(&mut self) {
        guard::give_back();
        guard::disown();
        self.stop = None;
        if let Some(keys) = self.keys.take() {
            let _ = keys.join();
        }
    }
}
