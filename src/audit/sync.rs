//! Waits until what was written is on the disk, away from the threads that answer calls.
//!
//! Who waits at the same time shares one fdatasync(2): that is what makes waiting affordable.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// A file, and whether its name is on the disk too.
#[derive(Debug)]
pub(super) struct Synced {
    pub(super) file: File,
    pub(super) directory: PathBuf,
    named: AtomicBool,
}

/// The thread that syncs; started when first needed.
#[derive(Debug, Default)]
pub(super) struct Syncer {
    jobs: Mutex<Option<Sender<Job>>>,
}

/// What is waited for.
pub(super) type Ticket = oneshot::Receiver<io::Result<()>>;

#[derive(Debug)]
struct Job {
    file: Arc<Synced>,
    done: oneshot::Sender<io::Result<()>>,
}

impl Synced {
    pub(super) fn new(file: File, directory: PathBuf) -> Self {
        Self {
            file,
            directory,
            named: AtomicBool::new(false),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()?;
        if !self.named.load(Ordering::Relaxed) {
            File::open(&self.directory)?.sync_all()?;
            self.named.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Syncer {
    /// Asks for a sync that begins after now.
    pub(super) fn ask(&self, file: &Arc<Synced>) -> io::Result<Ticket> {
        let (done, ticket) = oneshot::channel();
        let job = Job {
            file: Arc::clone(file),
            done,
        };
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = match jobs.take() {
            Some(sender) => sender,
            None => start()?,
        };
        sender.send(job).map_err(io::Error::other)?;
        *jobs = Some(sender);
        Ok(ticket)
    }
}

fn start() -> io::Result<Sender<Job>> {
    let (sender, jobs) = channel();
    std::thread::Builder::new()
        .name("audit-sync".to_owned())
        .spawn(move || work(&jobs))?;
    Ok(sender)
}

fn work(jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        // All that is here now was written before the sync that comes now.
        let mut waiting: Vec<Job> = std::iter::once(first).chain(jobs.try_iter()).collect();
        while let Some(job) = waiting.pop() {
            let result = job.file.sync();
            let same = |other: &mut Job| Arc::ptr_eq(&other.file, &job.file);
            for other in waiting.extract_if(.., same) {
                tell(other.done, &result);
            }
            tell(job.done, &result);
        }
    }
}

fn tell(done: oneshot::Sender<io::Result<()>>, result: &io::Result<()>) {
    let result = match result {
        Ok(()) => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    };
    done.send(result).ok(); // whoever asked has gone
}
