//! Drafts: messages that were checked and kept, each a private file.
//!
//! A draft's digest is that of the text which would be sent; a file whose text does not fit its digest is refused. What
//! is approved is the text itself, so a draft that changes between a question and its answer changes nothing.

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::notes::{Filter, Notes, Status};
use crate::kernel::own_file::{self, FileError};

/// Digits of a draft's name.
pub const ID_DIGITS: usize = 32;
/// Digits of a digest.
pub const DIGEST_DIGITS: usize = 64;
/// Drafts that may be kept: lists stay readable, and the directory small.
pub const MAX_DRAFTS: usize = 500;
/// Bytes of a draft's file: source and MyCode of the longest message, escaped.
const MAX_FILE: u64 = 1024 * 1024;
/// Bytes of a file that a draft is made from.
const MAX_SOURCE: u64 = 256 * 1024;

/// Where drafts are.
#[derive(Clone, Debug)]
pub struct Drafts {
    directory: PathBuf,
}

/// A draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Its name.
    pub draft_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What was noted about it.
    #[serde(default)]
    pub metadata: Notes,
    /// How its source was written.
    pub source_format: String,
    /// What was written.
    pub source_text: String,
    /// What would be sent.
    pub mycode: String,
    /// SHA-256 of `mycode`.
    pub digest: String,
}

/// A draft as lists have it: without its texts, which 500 of would not fit into memory at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub draft_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What was noted about it.
    pub metadata: Notes,
    /// SHA-256 of what would be sent.
    pub digest: String,
}

/// Why a draft cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// There is no such draft.
    #[error("no draft has this name; hint: hf_drafts_list names them")]
    Missing,
    /// It is not in the drafts' directory.
    #[error("the path is not that of a file in the drafts' directory; hint: give the file's name alone")]
    Path,
    /// It is not what it was when it was checked.
    #[error(
        "the draft's text does not fit its digest: it was changed after it was checked; hint: check it again with hf_formatting_preflight"
    )]
    Changed,
    /// It is put away.
    #[error("the draft is archived; hint: set its status to ready with hf_drafts_update, or write another")]
    Archived,
    /// As many as there may be.
    #[error("{MAX_DRAFTS} drafts are kept, which is the limit; hint: delete some with hf_drafts_delete")]
    Full,
    /// Its file could not be read again.
    #[error("the draft would be larger than {MAX_FILE} bytes in its file; hint: shorten its source")]
    Large,
    /// Not a text file of a known kind.
    #[error("a draft's source is a text file named .md, .mycode or .txt of at most {MAX_SOURCE} bytes")]
    Source,
    /// No time.
    #[error("{field} is no time such as 2026-11-21T10:00:00Z")]
    Time {
        /// Which argument.
        field: &'static str,
    },
    /// A time span that holds nothing.
    #[error("scheduled_before must be later than scheduled_after")]
    Span,
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// No random name.
    #[error("the kernel gives no random numbers")]
    Random(#[source] getrandom::Error),
}

impl Draft {
    /// A new one, not kept yet.
    pub fn new(source_format: &str, source_text: String, mycode: String, metadata: Notes) -> Result<Self, DraftError> {
        let mut bytes = [0; ID_DIGITS / 2];
        getrandom::fill(&mut bytes).map_err(DraftError::Random)?;
        Ok(Self {
            draft_id: HEXLOWER.encode(&bytes),
            created_at: now(),
            metadata,
            source_format: source_format.to_owned(),
            source_text,
            digest: digest(&mycode),
            mycode,
        })
    }

    /// Whether it may be sent, as far as drafts go.
    pub fn check_sendable(&self) -> Result<(), DraftError> {
        match self.metadata.status {
            Some(Status::Archived) => Err(DraftError::Archived),
            _ => Ok(()),
        }
    }

    /// What lists have of it.
    pub fn listed(self) -> Listed {
        Listed {
            draft_id: self.draft_id,
            created_at: self.created_at,
            metadata: self.metadata,
            digest: self.digest,
        }
    }
}

impl Listed {
    /// Its file's name.
    pub fn file_name(&self) -> String {
        file_name(&self.draft_id)
    }
}

fn file_name(id: &str) -> String {
    format!("{id}.json")
}

impl Drafts {
    /// In this directory, which is made when it is needed.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Keeps a new draft.
    pub fn save(&self, draft: &Draft) -> Result<(), DraftError> {
        own_file::make_directory(&self.directory)?;
        let _lock = self.lock()?;
        if self.names()?.len() >= MAX_DRAFTS {
            return Err(DraftError::Full);
        }
        self.write(draft)
    }

    /// The draft with this name.
    pub fn by_id(&self, id: &str) -> Result<Draft, DraftError> {
        let path = self.path(id)?;
        let bytes = match own_file::read(&path, MAX_FILE) {
            Err(error) if error.is_missing() => return Err(DraftError::Missing),
            other => other?,
        };
        let draft: Draft = serde_json::from_slice(&bytes).map_err(FileError::content(&path))?;
        if draft.digest != digest(&draft.mycode) || draft.draft_id != id {
            return Err(DraftError::Changed);
        }
        Ok(draft)
    }

    /// The draft in this file.
    pub fn by_path(&self, path: &str) -> Result<Draft, DraftError> {
        self.by_id(self.id_of(path)?)
    }

    /// The name of the draft in this file, which is not looked at.
    pub fn id_of<'p>(&self, path: &'p str) -> Result<&'p str, DraftError> {
        self.name_of(path)?.strip_suffix(".json").ok_or(DraftError::Path)
    }

    /// The text of a file in the drafts' directory, and whether its name says that it is MyCode.
    pub fn source(&self, path: &str) -> Result<(String, Option<&'static str>), DraftError> {
        let name = self.name_of(path)?;
        let format = match Path::new(name).extension().and_then(|extension| extension.to_str()) {
            Some("md") => Some("markdown"),
            Some("mycode") => Some("mycode"),
            Some("txt") => None,
            _ => return Err(DraftError::Source),
        };
        let bytes = match own_file::read(&self.directory.join(name), MAX_SOURCE) {
            Err(FileError::Large { .. }) => return Err(DraftError::Source),
            Err(error) if error.is_missing() => return Err(DraftError::Missing),
            other => other?,
        };
        let text = String::from_utf8(bytes).map_err(|_| DraftError::Source)?;
        Ok((text, format))
    }

    /// Those that fit, the newest first, and how many could not be read.
    pub fn list(&self, filter: &Filter) -> Result<(Vec<Listed>, usize), DraftError> {
        if let (Some(before), Some(after)) = (filter.before, filter.after)
            && before <= after
        {
            return Err(DraftError::Span);
        }
        let (mut found, mut broken) = (Vec::new(), 0);
        for id in self.names()? {
            match self.by_id(&id) {
                Ok(draft) if filter.fits(&draft.metadata) => found.push(draft.listed()),
                Ok(_) | Err(DraftError::Missing) => {}
                Err(_) => broken += 1,
            }
        }
        found.sort_by(|a, b| (b.created_at, &b.draft_id).cmp(&(a.created_at, &a.draft_id)));
        Ok((found, broken))
    }

    /// Changes what is noted about a draft.
    pub fn update(
        &self,
        id: &str,
        change: impl FnOnce(&mut Notes) -> Result<(), DraftError>,
    ) -> Result<Draft, DraftError> {
        own_file::make_directory(&self.directory)?;
        let _lock = self.lock()?;
        let mut draft = self.by_id(id)?;
        change(&mut draft.metadata)?;
        self.write(&draft)?;
        Ok(draft)
    }

    /// Deletes a draft, whatever its file holds.
    pub fn delete(&self, id: &str) -> Result<(), DraftError> {
        let path = self.path(id)?;
        own_file::make_directory(&self.directory)?;
        let _lock = self.lock()?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(DraftError::Missing),
            other => Ok(other.map_err(FileError::io("delete", &path))?),
        }
    }

    fn write(&self, draft: &Draft) -> Result<(), DraftError> {
        let path = self.path(&draft.draft_id)?;
        let json = serde_json::to_vec_pretty(draft).map_err(FileError::content(&path))?;
        if json.len() as u64 > MAX_FILE {
            return Err(DraftError::Large);
        }
        Ok(own_file::replace(&path, &json)?)
    }

    fn path(&self, id: &str) -> Result<PathBuf, DraftError> {
        let known = id.len() == ID_DIGITS && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        known
            .then(|| self.directory.join(file_name(id)))
            .ok_or(DraftError::Missing)
    }

    /// Keeps other processes from changing drafts until it is dropped.
    fn lock(&self) -> Result<fs::File, DraftError> {
        Ok(own_file::lock(&self.directory.join(".lock"))?)
    }

    /// The names of all drafts.
    fn names(&self) -> Result<Vec<String>, DraftError> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(FileError::io("list", &self.directory))?,
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names
            .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
            .filter(|id| id.len() == ID_DIGITS)
            .take(2 * MAX_DRAFTS)
            .collect())
    }

    /// The file's name alone, from that or from its whole path.
    fn name_of<'p>(&self, path: &'p str) -> Result<&'p str, DraftError> {
        let name = match path.rsplit_once('/') {
            None => path,
            Some((directory, name)) if Path::new(directory) == self.directory => name,
            Some(_) => return Err(DraftError::Path),
        };
        let plain = !name.is_empty() && !name.starts_with('.') && !name.contains('\0');
        plain.then_some(name).ok_or(DraftError::Path)
    }
}

/// A time as in `2026-11-21T10:00:00Z`.
pub fn time(field: &'static str, text: &str) -> Result<Timestamp, DraftError> {
    text.parse().map_err(|_| DraftError::Time { field })
}

/// SHA-256 of a text, or of bytes.
pub fn digest(text: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(&Sha256::digest(text))
}

/// Now, without parts of a second.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::scratch::Scratch;

    fn drafts(scratch: &Scratch) -> Drafts {
        Drafts::new(scratch.path().join("drafts"))
    }

    fn draft(title: &str, status: Option<Status>) -> Draft {
        let notes = Notes {
            title: Some(title.to_owned()),
            status,
            ..Notes::default()
        };
        Draft::new("markdown", "**x**".to_owned(), "[b]x[/b]".to_owned(), notes).unwrap()
    }

    #[test]
    fn a_draft_is_kept_changed_and_deleted() {
        let scratch = Scratch::new();
        let drafts = drafts(&scratch);
        assert_eq!(drafts.list(&Filter::default()).unwrap().0, []);
        let one = draft("One", None);
        drafts.save(&one).unwrap();
        assert_eq!(drafts.by_id(&one.draft_id).unwrap(), one);
        assert_eq!(drafts.by_path(&file_name(&one.draft_id)).unwrap(), one);
        let whole = drafts.directory.join(file_name(&one.draft_id));
        assert_eq!(drafts.by_path(whole.to_str().unwrap()).unwrap(), one);
        let changed = drafts.update(&one.draft_id, |notes| {
            notes.status = Some(Status::Archived);
            Ok(())
        });
        assert!(matches!(changed.unwrap().check_sendable(), Err(DraftError::Archived)));
        drafts.delete(&one.draft_id).unwrap();
        assert!(matches!(drafts.delete(&one.draft_id), Err(DraftError::Missing)));
    }

    #[test]
    fn a_draft_that_was_tampered_with_is_refused() {
        let scratch = Scratch::new();
        let drafts = drafts(&scratch);
        let one = draft("One", None);
        drafts.save(&one).unwrap();
        let path = drafts.directory.join(file_name(&one.draft_id));
        let text = fs::read_to_string(&path).unwrap().replace("[b]x", "[b]y");
        fs::write(&path, text).unwrap();
        assert!(matches!(drafts.by_id(&one.draft_id), Err(DraftError::Changed)));
        assert_eq!(drafts.list(&Filter::default()).unwrap().1, 1);
    }

    #[test]
    fn a_status_that_there_is_none_of_is_refused() {
        for name in Status::NAMES {
            let status = Status::parse(name).unwrap();
            assert_eq!(
                (status.name(), serde_json::to_value(status).unwrap()),
                (*name, (*name).into())
            );
        }
        let scratch = Scratch::new();
        let drafts = drafts(&scratch);
        let one = draft("One", Some(Status::Archived));
        drafts.save(&one).unwrap();
        let path = drafts.directory.join(file_name(&one.draft_id));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"archived\"", "\"Archived\"")).unwrap();
        let error = drafts.by_id(&one.draft_id).unwrap_err();
        assert!(matches!(error, DraftError::File(FileError::Content { .. })), "{error}");
    }

    #[test]
    fn what_is_being_changed_is_deleted_afterwards() {
        let scratch = Scratch::new();
        let drafts = drafts(&scratch);
        let one = draft("One", None);
        drafts.save(&one).unwrap();
        let (deleted, told) = std::sync::mpsc::channel();
        let deleting = drafts.update(&one.draft_id, |_| {
            let (other, id) = (drafts.clone(), one.draft_id.clone());
            let deleting = std::thread::spawn(move || deleted.send(other.delete(&id).is_ok()));
            // As long as somebody changes it, it stays; written again it would be back.
            told.recv_timeout(std::time::Duration::from_millis(200)).unwrap_err();
            drop(deleting);
            Ok(())
        });
        deleting.unwrap();
        assert!(told.recv().unwrap());
        assert!(matches!(drafts.by_id(&one.draft_id), Err(DraftError::Missing)));
    }

    #[test]
    fn no_path_leads_out_of_the_directory() {
        let scratch = Scratch::new();
        let drafts = drafts(&scratch);
        own_file::make_directory(&drafts.directory).unwrap();
        for path in ["../x.json", "/etc/hosts", "a/b.md", ".lock", "", "..", "x.json\0"] {
            assert!(matches!(drafts.by_path(path), Err(DraftError::Path)), "{path:?}");
            assert!(matches!(drafts.source(path), Err(DraftError::Path)), "{path:?}");
        }
        std::os::unix::fs::symlink("/etc/hosts", drafts.directory.join("hosts.txt")).unwrap();
        assert!(matches!(
            drafts.source("hosts.txt"),
            Err(DraftError::File(FileError::Io { .. }))
        ));
        assert!(matches!(drafts.source("x.exe"), Err(DraftError::Source)));
        assert!(matches!(drafts.source("x.md"), Err(DraftError::Missing)));
    }

    #[test]
    fn lists_are_filtered() {
        let scratch = Scratch::new();
        let drafts = drafts(&scratch);
        for (title, status) in [
            ("News", None),
            ("old NEWS", Some(Status::Archived)),
            ("else", Some(Status::Ready)),
        ] {
            drafts.save(&draft(title, status)).unwrap();
        }
        let count = |filter: Filter| drafts.list(&filter).unwrap().0.len();
        let title = Some("news".to_owned());
        assert_eq!(
            count(Filter {
                title,
                ..Filter::default()
            }),
            2
        );
        let status = Some(Status::Draft);
        assert_eq!(
            count(Filter {
                status,
                ..Filter::default()
            }),
            1
        );
        let before = Some("2030-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(
            count(Filter {
                before,
                ..Filter::default()
            }),
            0
        );
        let after = before;
        assert!(matches!(
            drafts.list(&Filter {
                before,
                after,
                ..Filter::default()
            }),
            Err(DraftError::Span)
        ));
    }
}
