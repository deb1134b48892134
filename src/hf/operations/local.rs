//! What works on local data: the list of forums, and drafts.

use super::{Act, BLANK, Family, Input, Kind, Local, MAX_MESSAGE, Needs, Operation};
use crate::hf::drafts::{ID_DIGITS, MAX_DRAFTS};
use crate::hf::notes::Status;

/// Characters of a title, a category, a path.
const MAX_NAME: usize = 200;
/// Characters of a time, as in `2026-11-21T10:00:00Z`.
const MAX_TIME: usize = 40;

const fn input(name: &'static str, kind: Kind, about: &'static str) -> Input {
    Input {
        name,
        kind,
        family: None,
        sends: None,
        required: false,
        about,
    }
}

const fn text(name: &'static str, least: usize, most: usize, about: &'static str) -> Input {
    input(name, Kind::Text { least, most }, about)
}

const DRAFT_ID: Input = input("draft_id", Kind::Hex(ID_DIGITS), "The draft's name: 32 digits.");
const DRAFT_PATH: Input = text("draft_path", 1, MAX_NAME, "The draft by its file's name.");
const TITLE: Input = text("title", 0, MAX_NAME, "A title; an empty one takes it away.");
const CATEGORY: Input = text("category", 0, MAX_NAME, "A category; an empty one takes it away.");
const STATUS: Input = input(
    "status",
    Kind::Choice(Status::NAMES, None),
    "How far it is. It permits nothing.",
);
const SCHEDULED: Input = text(
    "scheduled_at",
    0,
    MAX_TIME,
    "When it is meant to go out, as in 2026-11-21T10:00:00Z; nothing sends it. An empty one takes it away.",
);

const LOCAL: Operation = Operation {
    capability: "formatting.preflight",
    ..BLANK
};

pub(super) const FORUMS_INDEX: Operation = Operation {
    tool: "hf_forums_index",
    capability: "forums.read",
    title: "Known forums",
    description: "Lists forums of Hack Forums and their numbers from a packaged list, without asking Hack Forums.",
    act: Act::Local(Local::Forums),
    inputs: &[
        input(
            "view",
            Kind::Choice(&["flat", "tree"], Some("flat")),
            "flat: one line each; tree: below their categories.",
        ),
        input("include_inactive", Kind::Flag(false), "Also those that are closed."),
    ],
    ids: &["fid"],
    ..LOCAL
};

pub(super) const PREFLIGHT: Operation = Operation {
    tool: "hf_formatting_preflight",
    title: "Check and keep a draft",
    description: "Checks a message as it would be sent: Markdown is turned into MyCode, unbalanced code is an error, \
        what Hack Forums will change is shown. Keeps it as a draft, which hf_posts_reply and hf_threads_create can \
        send. Nothing is sent.",
    act: Act::Local(Local::Preflight),
    inputs: &[
        Input {
            family: Some(Family::FormattingContent),
            ..text(
                "message",
                1,
                MAX_MESSAGE,
                "The message. Give either message or source_path.",
            )
        },
        Input {
            family: Some(Family::FormattingContent),
            ..text(
                "source_path",
                1,
                MAX_NAME,
                "A file of the drafts' directory (.md, .mycode, .txt) that holds the message.",
            )
        },
        Input {
            family: Some(Family::FormattingContent),
            ..input(
                "message_format",
                Kind::Choice(&["mycode", "markdown"], Some("markdown")),
                "How the message is written.",
            )
        },
        TITLE,
        CATEGORY,
        STATUS,
        SCHEDULED,
        input(
            "save",
            Kind::Flag(true),
            "Keeps it as a draft; else it is only checked.",
        ),
    ],
    needs: Needs::OneOf(&["message", "source_path"]),
    ..LOCAL
};

pub(super) const DRAFTS_LIST: Operation = Operation {
    tool: "hf_drafts_list",
    title: "List drafts",
    description: "Lists drafts, the newest first.",
    act: Act::Local(Local::DraftsList),
    inputs: &[
        STATUS,
        text("category", 1, MAX_NAME, "Only those of this category."),
        text("title", 1, MAX_NAME, "Only those whose title holds this, in any case."),
        text(
            "scheduled_before",
            1,
            MAX_TIME,
            "Only those that are scheduled before this time.",
        ),
        text(
            "scheduled_after",
            1,
            MAX_TIME,
            "Only those that are scheduled after this time.",
        ),
        input(
            "limit",
            Kind::Number {
                least: 0,
                most: MAX_DRAFTS as u64,
                default: Some(50),
            },
            "How many.",
        ),
        input(
            "offset",
            Kind::Number {
                least: 0,
                most: MAX_DRAFTS as u64,
                default: Some(0),
            },
            "How many to pass over first.",
        ),
    ],
    ..LOCAL
};

pub(super) const DRAFTS_READ: Operation = Operation {
    tool: "hf_drafts_read",
    title: "Show a draft",
    description: "Shows a draft: its message as it would be sent, its source, and what was noted about it.",
    act: Act::Local(Local::DraftsRead),
    inputs: &[DRAFT_ID, DRAFT_PATH],
    needs: Needs::OneOf(&["draft_id", "draft_path"]),
    ..LOCAL
};

pub(super) const DRAFTS_UPDATE: Operation = Operation {
    tool: "hf_drafts_update",
    title: "Note something about a draft",
    description: "Changes title, category, status or schedule of a draft; what is left out stays. The message does \
        not change: hf_formatting_preflight makes a new draft.",
    act: Act::Local(Local::DraftsUpdate),
    inputs: &[DRAFT_ID, DRAFT_PATH, TITLE, CATEGORY, STATUS, SCHEDULED],
    needs: Needs::OneOf(&["draft_id", "draft_path"]),
    ..LOCAL
};

pub(super) const DRAFTS_DELETE: Operation = Operation {
    tool: "hf_drafts_delete",
    title: "Delete a draft",
    description: "Deletes a draft for good; nothing brings it back.",
    act: Act::Local(Local::DraftsDelete),
    inputs: &[
        DRAFT_ID,
        DRAFT_PATH,
        Input {
            required: true,
            ..input("confirm_delete", Kind::True, "The literal true.")
        },
    ],
    needs: Needs::OneOf(&["draft_id", "draft_path"]),
    ..LOCAL
};
