//! What the trainer has been told: to go on, to wait, to end.

use std::sync::mpsc::{Receiver, TryRecvError};

use super::events::TrainCommand;

/// Whether to take another step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    Running,
    /// One step, then wait.
    Once,
    Paused,
    Stop,
}

impl Pace {
    /// Hears the commands that wait; while paused, waits for one. `act` does those that change no pace.
    pub(super) fn next(self, commands: &Receiver<TrainCommand>, act: &mut dyn FnMut(TrainCommand)) -> Self {
        let mut pace = if self == Self::Once { Self::Paused } else { self };
        loop {
            let command = match commands.try_recv() {
                Ok(command) => command,
                Err(TryRecvError::Empty) if pace == Self::Paused && self == Self::Paused => {
                    match commands.recv() {
                        Ok(command) => command,
                        Err(_) => return Self::Stop,
                    }
                }
                Err(TryRecvError::Empty) => return pace,
                Err(TryRecvError::Disconnected) => return Self::Stop,
            };
            pace = match command {
                TrainCommand::Pause => Self::Paused,
                TrainCommand::Resume => Self::Running,
                TrainCommand::Step => return Self::Once,
                TrainCommand::Stop => return Self::Stop,
                TrainCommand::Save | TrainCommand::Extend | TrainCommand::Rescue => {
                    act(command);
                    pace
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    const COMMANDS: [TrainCommand; 5] = [
        TrainCommand::Pause,
        TrainCommand::Resume,
        TrainCommand::Step,
        TrainCommand::Save,
        TrainCommand::Stop,
    ];
    /// Looks that a command may come after the one before it.
    const GAPS: usize = 3;

    /// One order in which commands can reach the trainer: each with the looks that the trainer takes before it is there.
    struct Order {
        waiting: Vec<(TrainCommand, usize)>,
        commands: Sender<TrainCommand>,
        inbox: Receiver<TrainCommand>,
    }

    impl Order {
        /// The order of this number, of so many commands.
        fn new(mut number: usize, length: usize) -> Self {
            let mut digit = |base: usize| {
                let digit = number % base;
                number /= base;
                digit
            };
            let waiting = (0..length).map(|_| (COMMANDS[digit(COMMANDS.len())], digit(GAPS))).rev().collect();
            let (commands, inbox) = channel();
            Self { waiting, commands, inbox }
        }

        /// Sends what is there at the next look, and as much more as one needs who would wait for ever.
        fn arrive(&mut self, unheard: &mut VecDeque<TrainCommand>, waits: bool) {
            while let Some((command, gap)) = self.waiting.last_mut() {
                let needed = waits && !wakes(unheard);
                if *gap > 0 && !needed {
                    *gap -= 1;
                    return;
                }
                self.commands.send(*command).unwrap();
                unheard.push_back(*command);
                self.waiting.pop();
            }
            if waits && !wakes(unheard) {
                // Everybody who could wake it has gone, which is a stop too.
                self.commands = channel().0;
                unheard.push_back(TrainCommand::Stop);
            }
        }
    }

    /// Whether these commands end a pause.
    fn wakes(commands: &VecDeque<TrainCommand>) -> bool {
        let mut told = commands.iter().filter(|command| **command != TrainCommand::Save);
        let acts = |command: &TrainCommand| matches!(command, TrainCommand::Step | TrainCommand::Stop);
        commands.iter().any(acts) || told.next_back() == Some(&TrainCommand::Resume)
    }

    /// What the commands that have arrived must lead to: steps owed, saves done, and the end.
    #[derive(Debug, PartialEq)]
    struct Trainer {
        pace: Pace,
        saves: usize,
    }

    impl Trainer {
        fn hear(&mut self, arrived: &mut VecDeque<TrainCommand>) {
            self.pace = if self.pace == Pace::Once { Pace::Paused } else { self.pace };
            while let Some(command) = arrived.pop_front() {
                match command {
                    TrainCommand::Pause => self.pace = Pace::Paused,
                    TrainCommand::Resume => self.pace = Pace::Running,
                    TrainCommand::Save | TrainCommand::Extend | TrainCommand::Rescue => self.saves += 1,
                    TrainCommand::Stop => return self.pace = Pace::Stop,
                    // What comes after a step is heard after it.
                    TrainCommand::Step => return self.pace = Pace::Once,
                }
            }
        }
    }

    /// Follows one order to its end.
    fn follow(number: usize, length: usize) {
        let mut order = Order::new(number, length);
        let (mut pace, mut saves) = (Pace::Running, 0);
        let mut expected = Trainer { pace, saves };
        let mut unheard = VecDeque::new();
        for _ in 0..GAPS * length + 2 {
            order.arrive(&mut unheard, pace == Pace::Paused);
            pace = pace.next(&order.inbox, &mut |_| saves += 1);
            expected.hear(&mut unheard);
            assert_eq!(Trainer { pace, saves }, expected, "order {number} of {length} commands");
            if pace == Pace::Stop {
                return;
            }
        }
    }

    #[test]
    fn every_order_of_commands_is_obeyed() {
        for length in 1..=5 {
            (0..(COMMANDS.len() * GAPS).pow(length)).for_each(|number| follow(number, length as usize));
        }
    }
}
