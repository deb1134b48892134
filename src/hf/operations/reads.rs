//! The reads of members, forums, threads and posts, and what all reads have in common.

use super::{Act, BLANK, Family, Fields, Hint, Input, Kind, MAX_PER_PAGE, Needs, Operation, Scope};

/// A selector: one number of a record, or several.
pub(super) const fn ids(name: &'static str, sends: &'static str, family: Family, about: &'static str) -> Input {
    Input {
        name,
        kind: Kind::Ids,
        family: Some(family),
        sends: Some(sends),
        required: false,
        about,
    }
}

/// A selector that takes one number.
pub(super) const fn id(name: &'static str, sends: &'static str, family: Family, about: &'static str) -> Input {
    Input {
        kind: Kind::Id,
        ..ids(name, sends, family, about)
    }
}

const fn required(input: Input) -> Input {
    Input {
        required: true,
        ..input
    }
}

pub(super) const fn flag(name: &'static str, default: bool, family: Family, about: &'static str) -> Input {
    Input {
        name,
        kind: Kind::Flag(default),
        family: Some(family),
        sends: None,
        required: false,
        about,
    }
}

const fn pagination(name: &'static str, sends: &'static str, most: u64, default: u64, about: &'static str) -> Input {
    Input {
        name,
        kind: Kind::Number {
            least: 1,
            most,
            default: Some(default),
        },
        family: Some(Family::FiltersPagination),
        sends: Some(sends),
        required: false,
        about,
    }
}

pub(super) const PAGE: Input = pagination("page", "_page", 100_000, 1, "Which page, from 1.");
pub(super) const PER_PAGE: Input = pagination(
    "per_page",
    "_perpage",
    MAX_PER_PAGE,
    MAX_PER_PAGE,
    "Rows of a page, at most 30.",
);

/// The arguments of every read: how the answer looks. They are not sent.
pub(super) const OUTPUT: [Input; 3] = [
    Input {
        name: "output_mode",
        kind: Kind::Choice(&["readable", "structured", "raw"], None),
        family: None,
        sends: None,
        required: false,
        about: "readable: text; structured: the rows as JSON, also in structuredContent; raw: what Hack Forums sent. \
            Default: as configured, else readable.",
    },
    Input {
        name: "include_raw_payload",
        kind: Kind::Flag(false),
        family: None,
        sends: None,
        required: false,
        about: "Adds what Hack Forums sent to the text.",
    },
    Input {
        name: "body_format",
        kind: Kind::Choice(&["raw", "clean", "markdown"], None),
        family: None,
        sends: None,
        required: false,
        about: "How MyCode in messages is shown. Default: as configured, else markdown; raw with output_mode raw.",
    },
];

pub(super) const fn always(names: &'static str) -> Fields {
    Fields {
        family: None,
        flag: None,
        names,
    }
}

pub(super) const fn group(family: Family, flag: &'static str, names: &'static str) -> Fields {
    Fields {
        family: Some(family),
        flag: Some(flag),
        names,
    }
}

pub(super) const fn hint(tool: &'static str, argument: &'static str, key: &'static str) -> Hint {
    Hint { tool, argument, key }
}

pub(super) const ME: Operation = Operation {
    tool: "hf_me_read",
    capability: "me.read",
    title: "Own profile",
    description: "Reads the Hack Forums profile of the account that the token belongs to.",
    act: Act::Read {
        route: "read/me",
        endpoint: "me",
    },
    inputs: &[
        flag(
            "include_basic_fields",
            true,
            Family::FieldsMeBasic,
            "The profile's fields.",
        ),
        flag(
            "include_advanced_fields",
            false,
            Family::FieldsMeAdvanced,
            "Also counters of private messages, last activity and warning points; the token needs Advanced Info.",
        ),
    ],
    fields: &[
        always("uid"),
        group(
            Family::FieldsMeBasic,
            "include_basic_fields",
            "username usergroup displaygroup additionalgroups postnum awards bytes vault \
            threadnum avatar avatardimensions avatartype lastvisit usertitle website timeonline \
            reputation referrals",
        ),
        group(
            Family::FieldsMeAdvanced,
            "include_advanced_fields",
            "unreadpms invisible totalpms lastactive warningpoints",
        ),
    ],
    scopes: &[Scope::BasicInfo],
    ids: &["uid"],
    hints: &[
        hint("hf_threads_read", "uid", "uid"),
        hint("hf_posts_read", "uid", "uid"),
    ],
    ..BLANK
};

pub(super) const USERS: Operation = Operation {
    tool: "hf_users_read",
    capability: "users.read",
    title: "Profiles of members",
    description: "Reads the Hack Forums profiles of members by their user numbers; several at a time with a list.",
    act: Act::Read {
        route: "read/users",
        endpoint: "users",
    },
    inputs: &[
        required(ids(
            "uid",
            "_uid",
            Family::SelectorsUser,
            "The user's number, or a list of numbers.",
        )),
        PAGE,
        PER_PAGE,
        flag(
            "include_profile_fields",
            true,
            Family::FieldsUsersProfile,
            "The profile's fields, else only the number.",
        ),
    ],
    fields: &[
        always("uid"),
        group(
            Family::FieldsUsersProfile,
            "include_profile_fields",
            "username usergroup displaygroup additionalgroups postnum awards myps threadnum \
            avatar avatardimensions avatartype usertitle website timeonline reputation referrals",
        ),
    ],
    scopes: &[Scope::Users],
    ids: &["uid"],
    hints: &[
        hint("hf_threads_read", "uid", "uid"),
        hint("hf_posts_read", "uid", "uid"),
    ],
    ..BLANK
};

pub(super) const FORUMS: Operation = Operation {
    tool: "hf_forums_read",
    capability: "forums.read",
    title: "Forums",
    description: "Reads name, description and type of forums of Hack Forums by their numbers; hf_forums_index lists \
        known ones without asking.",
    act: Act::Read {
        route: "read/forums",
        endpoint: "forums",
    },
    inputs: &[
        required(ids(
            "fid",
            "_fid",
            Family::SelectorsForum,
            "The forum's number, or a list of numbers.",
        )),
        PAGE,
        PER_PAGE,
    ],
    fields: &[always("fid name description type")],
    scopes: &[Scope::Posts],
    ids: &["fid"],
    hints: &[hint("hf_threads_read", "fid", "fid")],
    ..BLANK
};

pub(super) const THREADS: Operation = Operation {
    tool: "hf_threads_read",
    capability: "threads.read",
    title: "Threads",
    description: "Reads threads of Hack Forums with their first posts: those of a forum, those with these numbers, or \
        those that a member started. Give one of fid, tid, uid. One private or deleted thread in a list of tid fails \
        the whole request.",
    act: Act::Read {
        route: "read/threads",
        endpoint: "threads",
    },
    inputs: &[
        ids(
            "fid",
            "_fid",
            Family::SelectorsForum,
            "Threads of this forum, or of a list of forums.",
        ),
        ids(
            "tid",
            "_tid",
            Family::SelectorsThread,
            "The thread with this number, or a list of numbers.",
        ),
        ids(
            "uid",
            "_uid",
            Family::SelectorsThread,
            "Threads that this member started, or a list of members.",
        ),
        PAGE,
        PER_PAGE,
    ],
    needs: Needs::AnyOf(&["fid", "tid", "uid"]),
    fields: &[always(
        "tid fid subject dateline uid username views lastpost sticky firstpost.pid \
            firstpost.message firstpost.author.uid firstpost.author.username",
    )],
    scopes: &[Scope::Posts],
    ids: &["tid", "fid", "uid"],
    hints: &[hint("hf_posts_read", "tid", "tid"), hint("hf_users_read", "uid", "uid")],
    ..BLANK
};

pub(super) const POSTS: Operation = Operation {
    tool: "hf_posts_read",
    capability: "posts.read",
    title: "Posts",
    description: "Reads posts of Hack Forums: those of a thread, those with these numbers, or those of a member. Give \
        one of tid, pid, uid.",
    act: Act::Read {
        route: "read/posts",
        endpoint: "posts",
    },
    inputs: &[
        ids(
            "pid",
            "_pid",
            Family::SelectorsPost,
            "The post with this number, or a list of numbers.",
        ),
        ids(
            "tid",
            "_tid",
            Family::SelectorsThread,
            "Posts of this thread, or of a list of threads.",
        ),
        ids(
            "uid",
            "_uid",
            Family::SelectorsPost,
            "Posts of this member, or of a list of members.",
        ),
        PAGE,
        PER_PAGE,
        flag(
            "include_post_body",
            true,
            Family::FieldsPostsBody,
            "The posts' messages.",
        ),
    ],
    needs: Needs::AnyOf(&["pid", "tid", "uid"]),
    fields: &[
        always("pid tid uid fid dateline subject edituid edittime editreason"),
        group(Family::FieldsPostsBody, "include_post_body", "message"),
    ],
    scopes: &[Scope::Posts],
    ids: &["pid", "tid", "uid", "fid"],
    hints: &[
        hint("hf_threads_read", "tid", "tid"),
        hint("hf_users_read", "uid", "uid"),
    ],
    ..BLANK
};
