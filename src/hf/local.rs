//! What needs no request: the forums that are known, and drafts.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::content::{cut, visible};
use super::drafts::{self, Draft, DraftError, Drafts, Listed};
use super::fault::TextFault;
use super::mycode::{self, Issue, Severity};
use super::notes::{Filter, Notes, Status};
use super::operations::Local;
use super::request::Asked;
use super::shape::Reply;
use super::{arguments, catalogue};

/// Characters of a text in a preview.
const PREVIEW: usize = 500;
/// Bytes of a draft's text that is shown.
const MAX_SHOWN: usize = 64 * 1024;

type Arguments = Map<String, Value>;

/// Does it.
pub(super) fn apply(drafts: &Drafts, asked: &Asked, local: Local) -> Result<Reply, DraftError> {
    let arguments = &asked.arguments;
    let tool = asked.operation.tool;
    match local {
        Local::Forums => Ok(forums(tool, arguments)),
        Local::Preflight => preflight(tool, drafts, arguments),
        Local::DraftsList => list(tool, drafts, arguments),
        Local::DraftsRead => Ok(show(tool, drafts.by_id(name(arguments)?)?)),
        Local::DraftsUpdate => update(tool, drafts, arguments),
        Local::DraftsDelete => {
            let id = name(arguments)?;
            drafts.delete(id)?;
            Ok(Reply {
                text: format!("draft {id} is deleted\n"),
                structured: json!({"tool": tool, "draft": {"draft_id": id, "deleted": true}}),
            })
        }
    }
}

fn text<'a>(arguments: &'a Arguments, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str)
}

fn flag(arguments: &Arguments, name: &str) -> bool {
    arguments.get(name) == Some(&Value::Bool(true))
}

fn number(arguments: &Arguments, name: &str) -> usize {
    let number = arguments.get(name).and_then(Value::as_u64).unwrap_or_default();
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The name of the draft that is meant.
fn name(arguments: &Arguments) -> Result<&str, DraftError> {
    text(arguments, "draft_id").ok_or(DraftError::Missing)
}

fn forums(tool: &'static str, arguments: &Arguments) -> Reply {
    let tree = text(arguments, "view") == Some("tree");
    let found: Vec<_> = catalogue::forums(flag(arguments, "include_inactive")).collect();
    let mut shown = format!(
        "{tool}: {} forums, as known on {}; hf_forums_read and hf_threads_read take their numbers\n",
        found.len(),
        catalogue::VERSION
    );
    for forum in &found {
        let indent = if tree { 2 * catalogue::depth(forum) } else { 0 };
        let kind = if forum.parent.is_none() { " (category)" } else { "" };
        writeln!(shown, "{:indent$}{} {}{kind}", "", forum.fid, forum.name).ok(); // to a string
    }
    let forums: Vec<Value> = found.iter().map(|forum| forum.to_json()).collect();
    Reply {
        text: shown,
        structured: json!({"tool": tool, "forums": forums, "notes": [catalogue::VERSION]}),
    }
}

fn preflight(tool: &'static str, drafts: &Drafts, arguments: &Arguments) -> Result<Reply, DraftError> {
    let mut format = text(arguments, "message_format").unwrap_or("markdown").to_owned();
    let source = match (text(arguments, "message"), text(arguments, "source_path")) {
        (Some(message), _) => message.to_owned(),
        (None, Some(path)) => {
            let (text, named) = drafts.source(path)?;
            format = named.map_or(format, str::to_owned);
            text
        }
        (None, None) => return Err(DraftError::Source),
    };
    let mut notes = Notes::default();
    note(&mut notes, arguments)?;
    let mycode = if format == "markdown" {
        mycode::from_markdown(&source)
    } else {
        source.clone()
    };
    let mut issues = mycode::check(&mycode);
    issues.extend(arguments::fault(&mycode).map(unsendable));
    let draft = Draft::new(&format, source, mycode, notes)?;
    let (errors, warnings) = (issues.iter().filter(|i| i.is_error()).count(), issues.len());
    let keep = flag(arguments, "save") && errors == 0;
    if keep {
        drafts.save(&draft)?;
    }
    let mut shown = match (keep, errors) {
        (true, _) => format!("{tool}: kept as draft {} (SHA-256 {})\n", draft.draft_id, draft.digest),
        (false, 0) => format!("{tool}: fine, not kept (SHA-256 {})\n", draft.digest),
        (false, _) => format!("{tool}: not kept, because it must not be sent so\n"),
    };
    for issue in &issues {
        let severity = if issue.is_error() { "error" } else { "warning" };
        writeln!(shown, "{severity} {}: {}", issue.code, issue.about).ok(); // to a string
    }
    let preview = |text: &str| visible(text).chars().take(PREVIEW).collect::<String>();
    writeln!(shown, "--- MyCode\n{}", preview(&draft.mycode)).ok(); // as above
    let back = mycode::markdown(&stored(&draft.mycode));
    writeln!(shown, "--- as it will be read back\n{}", preview(&back)).ok(); // as above
    let issues: Vec<Value> = issues.into_iter().map(mycode::Issue::to_json).collect();
    let mut facts = json!({"tool": tool, "digest": draft.digest, "issues": issues});
    if let (true, Value::Object(facts)) = (keep, &mut facts) {
        facts.insert("draft".to_owned(), summary(&draft.listed()));
    }
    if warnings == 0 {
        shown.push_str("nothing is wrong with it\n");
    }
    Ok(Reply {
        text: shown,
        structured: facts,
    })
}

/// What a message that would be refused is told of it.
fn unsendable(fault: TextFault) -> Issue {
    let about = match fault {
        TextFault::Blank => "it holds nothing that is seen",
        TextFault::Control | TextFault::Line => "it holds a control character other than line ends and tabs",
        TextFault::Unbalanced => "[code] or [php] without its end, or an end without its start",
        TextFault::Short => "it is shorter than 3 characters, which Hack Forums refuses",
        TextFault::Long => "it is longer as MyCode than a message may be",
    };
    Issue {
        code: fault.code(),
        severity: Severity::Error,
        about,
    }
}

/// As Hack Forums keeps it.
fn stored(mycode: &str) -> String {
    mycode.replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

fn list(tool: &'static str, drafts: &Drafts, arguments: &Arguments) -> Result<Reply, DraftError> {
    let own = |name| text(arguments, name).map(str::to_owned);
    let at = |name| text(arguments, name).map(|text| drafts::time(name, text)).transpose();
    let filter = Filter {
        status: text(arguments, "status").and_then(Status::parse),
        category: own("category"),
        title: own("title"),
        before: at("scheduled_before")?,
        after: at("scheduled_after")?,
    };
    let (found, broken) = drafts.list(&filter)?;
    let (offset, limit) = (number(arguments, "offset"), number(arguments, "limit"));
    let shown: Vec<&Listed> = found.iter().skip(offset).take(limit).collect();
    let mut lines = format!("{tool}: {} of {} drafts\n", shown.len(), found.len());
    for draft in &shown {
        writeln!(lines, "{}", line(draft)).ok(); // to a string
    }
    if broken > 0 {
        writeln!(
            lines,
            "note: {broken} more cannot be read or were changed after they were checked"
        )
        .ok(); // as above
    }
    let drafts: Vec<Value> = shown.into_iter().map(summary).collect();
    Ok(Reply {
        text: lines,
        structured: json!({"tool": tool, "rows": drafts.len(), "drafts": drafts}),
    })
}

fn show(tool: &'static str, draft: Draft) -> Reply {
    let texts = format!(
        "--- MyCode\n{}\n--- source ({})\n{}\n",
        cut(&visible(&draft.mycode), MAX_SHOWN),
        draft.source_format,
        cut(&visible(&draft.source_text), MAX_SHOWN),
    );
    let draft = draft.listed();
    Reply {
        text: format!("{}\nSHA-256 {}\n{texts}", line(&draft), draft.digest),
        structured: json!({"tool": tool, "digest": draft.digest, "draft": summary(&draft)}),
    }
}

fn update(tool: &'static str, drafts: &Drafts, arguments: &Arguments) -> Result<Reply, DraftError> {
    let id = name(arguments)?;
    let draft = drafts.update(id, |notes| note(notes, arguments))?.listed();
    Ok(Reply {
        text: format!("{}\n", line(&draft)),
        structured: json!({"tool": tool, "digest": draft.digest, "draft": summary(&draft)}),
    })
}

/// Takes what was given; an empty text takes a note away.
fn note(notes: &mut Notes, arguments: &Arguments) -> Result<(), DraftError> {
    let given =
        |name| text(arguments, name).map(|text| Some(visible(text).into_owned()).filter(|text| !text.is_empty()));
    if let Some(title) = given("title") {
        notes.title = title;
    }
    if let Some(category) = given("category") {
        notes.category = category;
    }
    if let Some(status) = given("status") {
        notes.status = status.as_deref().and_then(Status::parse);
    }
    if let Some(at) = given("scheduled_at") {
        let at: Option<Timestamp> = at.map(|text| drafts::time("scheduled_at", &text)).transpose()?;
        notes.scheduled_at = at;
    }
    Ok(())
}

fn line(draft: &Listed) -> String {
    let notes = &draft.metadata;
    let or = |text: &Option<String>, other: &str| text.clone().unwrap_or_else(|| other.to_owned());
    let scheduled = notes.scheduled_at.map_or_else(String::new, |at| format!(" for {at}"));
    format!(
        "{} {} {:?} [{}]{scheduled} of {}",
        draft.draft_id,
        notes.status.unwrap_or_default().name(),
        or(&notes.title, ""),
        or(&notes.category, "no category"),
        draft.created_at
    )
}

fn summary(draft: &Listed) -> Value {
    let notes = serde_json::to_value(&draft.metadata).unwrap_or_default(); // plain strings: cannot fail
    json!({
        "draft_id": draft.draft_id, "draft_path": draft.file_name(), "created_at": draft.created_at.to_string(),
        "digest": draft.digest, "metadata": notes,
    })
}
