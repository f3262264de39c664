//! Running, paused or stopped: the trainer's response to commands.

use std::sync::mpsc::{Receiver, TryRecvError};

use super::events::TrainCommand;

/// Whether to take another step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    Running,
    /// Take one step, then wait.
    Once,
    Paused,
    Stop,
}

impl Pace {
    /// Reads the pending commands; while paused, waits for one. `act` executes those that do not change the pace.
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
    /// Polls that may pass between two commands.
    const GAPS: usize = 3;

    /// One order in which commands can reach the trainer: each with the number of polls before it arrives.
    struct Order {
        waiting: Vec<(TrainCommand, usize)>,
        commands: Sender<TrainCommand>,
        inbox: Receiver<TrainCommand>,
    }

    impl Order {
        /// Decodes order `number` of `length` commands.
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

        /// Sends the commands due at the next poll, and more if the trainer would otherwise wait for ever.
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
                // Every sender is gone, which also counts as a stop.
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

    /// The expected result of the commands that have arrived: the pace and the number of saves.
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
                    // Commands after a step are read after that step.
                    TrainCommand::Step => return self.pace = Pace::Once,
                }
            }
        }
    }

    /// Runs one order to its end.
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
    fn every_order_of_commands_is_executed() {
        for length in 1..=5 {
            (0..(COMMANDS.len() * GAPS).pow(length)).for_each(|number| follow(number, length as usize));
        }
    }
}
