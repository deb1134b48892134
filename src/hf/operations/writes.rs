//! The writes.

use super::{Act, BLANK, Family, Input, Kind, MAX_AMOUNT, MAX_MESSAGE, Needs, Operation, Scope};
use crate::hf::drafts::{DIGEST_DIGITS, ID_DIGITS};

/// Characters of a subject: the forum's column holds as many.
const MAX_SUBJECT: usize = 120;
/// Characters of a reason for a transfer, as the reference client has it.
const MAX_REASON: usize = 192;
/// Characters of a draft's path.
const MAX_PATH: usize = 256;

const CONFIRM: Input = Input {
    name: "confirm_live",
    kind: Kind::True,
    family: Some(Family::ConfirmLive),
    sends: None,
    required: true,
    about: "The literal true: this is meant to happen at Hack Forums. It states what you mean and is no permission; \
        the operator's policy decides.",
};

const DRY_RUN: Input = Input {
    name: "dry_run",
    kind: Kind::Flag(false),
    family: None,
    sends: None,
    required: false,
    about: "Shows the exact bytes that would be sent, and sends nothing.",
};

const fn text(name: &'static str, least: usize, most: usize, family: Family, about: &'static str) -> Input {
    Input {
        name,
        kind: Kind::Text { least, most },
        family: Some(family),
        sends: None,
        required: false,
        about,
    }
}

const MESSAGE: Input = text(
    "message",
    3,
    MAX_MESSAGE,
    Family::WritesContent,
    "The message. Give exactly one of message, draft_id, draft_path.",
);

const MESSAGE_FORMAT: Input = Input {
    name: "message_format",
    kind: Kind::Choice(&["mycode", "markdown"], Some("mycode")),
    family: Some(Family::WritesContent),
    sends: None,
    required: false,
    about: "How message is written; Markdown is turned into MyCode. A draft is MyCode already.",
};

const DRAFT_ID: Input = Input {
    kind: Kind::Hex(ID_DIGITS),
    ..text(
        "draft_id",
        0,
        0,
        Family::WritesContent,
        "The draft whose message is sent.",
    )
};

const DRAFT_PATH: Input = text(
    "draft_path",
    1,
    MAX_PATH,
    Family::WritesContent,
    "The draft by its file's name.",
);

const DIGEST: Input = Input {
    kind: Kind::Hex(DIGEST_DIGITS),
    ..text(
        "draft_digest",
        0,
        0,
        Family::WritesContent,
        "The draft's digest, as hf_formatting_preflight gave it: another text is refused.",
    )
};

/// A message, as itself or as a draft.
pub(super) const CONTENT: [Input; 5] = [MESSAGE, DRAFT_ID, DRAFT_PATH, DIGEST, MESSAGE_FORMAT];
/// Of the content, exactly one must be given.
pub(super) const SOURCES: Needs = Needs::OneOf(&["message", "draft_id", "draft_path"]);
/// What every write takes.
pub(super) const EVERY: [Input; 2] = [CONFIRM, DRY_RUN];

const fn number(name: &'static str, kind: Kind, sends: &'static str, family: Family, about: &'static str) -> Input {
    Input {
        name,
        kind,
        family: Some(family),
        sends: Some(sends),
        required: true,
        about,
    }
}

const fn amount(sends: &'static str) -> Input {
    let kind = Kind::Number {
        least: 1,
        most: MAX_AMOUNT,
        default: None,
    };
    number(
        "amount",
        kind,
        sends,
        Family::WritesBytes,
        "How many bytes, a whole number.",
    )
}

pub(super) const THREADS_CREATE: Operation = Operation {
    tool: "hf_threads_create",
    capability: "threads.create",
    title: "Start a thread",
    description: "Starts a thread in a forum of Hack Forums, in the operator's name and in public. Nothing is tried \
        twice: when the outcome is unknown, look with hf_threads_read before anything else.",
    act: Act::Write {
        route: "write/threads",
        endpoint: "threads",
        target: Some("fid"),
    },
    inputs: &[
        number("fid", Kind::Id, "_fid", Family::SelectorsForum, "The forum's number."),
        Input {
            required: true,
            sends: Some("_subject"),
            ..text(
                "subject",
                3,
                MAX_SUBJECT,
                Family::WritesContent,
                "The thread's subject.",
            )
        },
    ],
    needs: SOURCES,
    scopes: &[Scope::Posts],
    ids: &["tid", "fid"],
    ..BLANK
};

pub(super) const POSTS_REPLY: Operation = Operation {
    tool: "hf_posts_reply",
    capability: "posts.reply",
    title: "Reply in a thread",
    description: "Replies in a thread of Hack Forums, in the operator's name and in public. Nothing is tried twice: \
        when the outcome is unknown, look with hf_posts_read before anything else.",
    act: Act::Write {
        route: "write/posts",
        endpoint: "posts",
        target: Some("tid"),
    },
    inputs: &[number(
        "tid",
        Kind::Id,
        "_tid",
        Family::SelectorsThread,
        "The thread's number.",
    )],
    needs: SOURCES,
    scopes: &[Scope::Posts],
    ids: &["pid", "tid"],
    ..BLANK
};

pub(super) const BYTES_TRANSFER: Operation = Operation {
    tool: "hf_bytes_transfer",
    capability: "bytes.transfer",
    title: "Send bytes",
    description: "Sends bytes, the currency of Hack Forums, to a member. It cannot be undone.",
    act: Act::Write {
        route: "write/bytes",
        endpoint: "bytes",
        target: Some("target_uid"),
    },
    inputs: &[
        number(
            "target_uid",
            Kind::Id,
            "_uid",
            Family::SelectorsBytes,
            "The number of the member who gets them.",
        ),
        amount("_amount"),
        Input {
            sends: Some("_reason"),
            ..text(
                "reason",
                1,
                MAX_REASON,
                Family::WritesBytes,
                "What for; the member reads it.",
            )
        },
        Input {
            required: false,
            ..number(
                "pid",
                Kind::Id,
                "_pid",
                Family::WritesBytes,
                "The post that they are for.",
            )
        },
    ],
    scopes: &[Scope::Bytes],
    ids: &["id"],
    ..BLANK
};

pub(super) const BYTES_DEPOSIT: Operation = Operation {
    tool: "hf_bytes_deposit",
    capability: "bytes.deposit",
    title: "Deposit bytes",
    description: "Moves bytes from the account into its vault. Amounts below 100 are said to be refused.",
    act: Act::Write {
        route: "write/bytes/deposit",
        endpoint: "bytes",
        target: None,
    },
    inputs: &[amount("_deposit")],
    scopes: &[Scope::Bytes],
    ids: &["id"],
    ..BLANK
};

pub(super) const BYTES_WITHDRAW: Operation = Operation {
    tool: "hf_bytes_withdraw",
    capability: "bytes.withdraw",
    title: "Withdraw bytes",
    description: "Moves bytes from the vault into the account. Amounts below 100 are said to be refused.",
    act: Act::Write {
        route: "write/bytes/withdraw",
        endpoint: "bytes",
        target: None,
    },
    inputs: &[amount("_withdraw")],
    scopes: &[Scope::Bytes],
    ids: &["id"],
    ..BLANK
};

pub(super) const BYTES_BUMP: Operation = Operation {
    tool: "hf_bytes_bump",
    capability: "bytes.bump",
    title: "Bump a thread",
    description: "Pays to bring a thread to the top of its forum.",
    act: Act::Write {
        route: "write/bytes/bump",
        endpoint: "bytes",
        target: Some("tid"),
    },
    inputs: &[number(
        "tid",
        Kind::Id,
        "_bump",
        Family::SelectorsBytes,
        "The thread's number.",
    )],
    scopes: &[Scope::Bytes],
    ids: &["id"],
    ..BLANK
};
