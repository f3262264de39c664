//! A disk in memory that can lose its power: what was not synced survives in part, torn, out of order or not at all.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use headcount::train::files::{Files, Written};
use rand::Rng;
use rand::rngs::StdRng;

/// What the disk forgets to do, for the tests of the tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Negligence {
    #[default]
    None,
    /// Syncing a file does nothing.
    Files,
    /// Syncing a directory does nothing.
    Names,
}

#[derive(Clone, Default)]
struct Inode {
    now: Vec<u8>,
    /// As of the last sync.
    durable: Vec<u8>,
}

/// A change of names that no sync has made durable yet.
#[derive(Clone)]
enum Change {
    Link(PathBuf, usize),
    Unlink(PathBuf),
    /// In one stroke, as every journal does it.
    Rename(PathBuf, PathBuf, usize),
}

impl Change {
    /// Files stay in their directory.
    fn path(&self) -> &Path {
        match self {
            Self::Link(path, _) | Self::Unlink(path) | Self::Rename(path, ..) => path,
        }
    }
}

#[derive(Clone, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable: BTreeMap<PathBuf, usize>,
    changes: Vec<Change>,
    operations: usize,
    cut_at: Option<usize>,
    negligence: Negligence,
}

/// The disk.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<State>>);

fn apply(names: &mut BTreeMap<PathBuf, usize>, change: &Change) {
    match change {
        Change::Link(path, inode) => drop(names.insert(path.clone(), *inode)),
        Change::Unlink(path) => drop(names.remove(path)),
        Change::Rename(from, to, inode) => {
            names.remove(from);
            names.insert(to.clone(), *inode);
        }
    }
}

impl Memory {
    pub(crate) fn new(cut_at: Option<usize>, negligence: Negligence) -> Self {
        Self(Arc::new(Mutex::new(State { cut_at, negligence, ..State::default() })))
    }

    pub(crate) fn operations(&self) -> usize {
        self.state().operations
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Counts an operation; after the cut there is none.
    fn operate(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.operations += 1;
        if state.cut_at.is_some_and(|cut| state.operations > cut) {
            return Err(io::Error::other("the power is gone"));
        }
        Ok(state)
    }

    fn change(state: &mut State, change: Change) {
        apply(&mut state.names, &change);
        state.changes.push(change);
    }

    /// What is found when the power is back.
    pub(crate) fn after_the_cut(&self, random: &mut StdRng) -> Self {
        let mut state = self.state().clone();
        let mut names = state.durable.clone();
        for change in state.changes.iter().filter(|_| random.gen_bool(0.5)) {
            apply(&mut names, change);
        }
        for inode in &mut state.inodes {
            if inode.now != inode.durable {
                inode.now = torn(inode, random);
            }
            inode.durable.clone_from(&inode.now);
        }
        let state = State { names: names.clone(), durable: names, inodes: state.inodes, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }
}

/// Some of what was written since the last sync, in blocks, and of any length.
fn torn(inode: &Inode, random: &mut StdRng) -> Vec<u8> {
    let mut bytes = inode.durable.clone();
    bytes.resize(random.gen_range(0..=inode.now.len()), 0);
    for (to, from) in bytes.chunks_mut(512).zip(inode.now.chunks(512)) {
        if random.gen_bool(0.9) {
            let length = to.len().min(from.len());
            to[..length].copy_from_slice(&from[..length]);
        }
    }
    bytes
}

struct Handle {
    disk: Memory,
    inode: usize,
}

impl Write for Handle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A power cut may come in the middle of a large file.
        let some = bytes.len().min(16 << 10);
        self.disk.operate()?.inodes[self.inode].now.extend(&bytes[..some]);
        Ok(some)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written for Handle {
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.operate()?;
        if state.negligence != Negligence::Files {
            let inode = &mut state.inodes[self.inode];
            inode.durable = inode.now.clone();
        }
        Ok(())
    }
}

impl Files for Memory {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Written>> {
        let mut state = self.operate()?;
        if state.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let inode = state.inodes.len();
        state.inodes.push(Inode::default());
        Self::change(&mut state, Change::Link(path.into(), inode));
        Ok(Box::new(Handle { disk: self.clone(), inode }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Written>> {
        let known = self.state().names.get(path).copied();
        match known {
            Some(inode) => Ok(Box::new(Handle { disk: self.clone(), inode })),
            None => self.create(path),
        }
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let state = self.operate()?;
        let inode = state.names.get(path).ok_or(ErrorKind::NotFound)?;
        let bytes = state.inodes[*inode].now.clone();
        if bytes.len() as u64 > limit { Err(io::Error::other("too large")) } else { Ok(bytes) }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.operate()?;
        let inode = *state.names.get(from).ok_or(ErrorKind::NotFound)?;
        Self::change(&mut state, Change::Rename(from.into(), to.into(), inode));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.operate()?;
        if !state.names.contains_key(path) {
            return Err(ErrorKind::NotFound.into());
        }
        Self::change(&mut state, Change::Unlink(path.into()));
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let state = self.operate()?;
        let inside = state.names.keys().filter(|path| path.parent() == Some(directory));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_owned())).collect())
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut state = self.operate()?;
        if state.negligence != Negligence::Names {
            let is_inside = |path: &Path| path.parent() == Some(directory);
            let State { names, durable, changes, .. } = &mut *state;
            durable.retain(|path, _| !is_inside(path));
            let inside = names.iter().filter(|(path, _)| is_inside(path));
            durable.extend(inside.map(|(path, inode)| (path.clone(), *inode)));
            changes.retain(|change| !is_inside(change.path()));
        }
        Ok(())
    }
}
