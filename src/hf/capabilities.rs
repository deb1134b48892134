//! All that can be done, by name, with the families of arguments and fields that go with it.

use super::features::Family;
use super::features::Family as F;

/// How much harm a capability can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Risk {
    /// It reads what other members wrote, or works on local files.
    Low,
    /// It publishes something in the operator's name.
    Publishes,
    /// It spends, or deals with contracts, the signature market or administration: off unless enabled by name.
    High,
    /// The interface is not known well enough: known by name, never offered.
    Unverified,
}

/// One thing that can be done.
#[derive(Clone, Copy, Debug)]
pub struct Capability {
    /// Its name, as in `posts.reply`.
    pub name: &'static str,
    /// What harm it can do.
    pub risk: Risk,
    /// The families that make sense with it.
    pub families: &'static [Family],
}

const fn capability_of(name: &'static str, risk: Risk, families: &'static [Family]) -> Capability {
    Capability { name, risk, families }
}

/// All capabilities. Those that are not verified are here so that their names are known.
pub const CAPABILITIES: [Capability; 22] = [
    capability_of(
        "me.read",
        Risk::Low,
        &[
            F::SelectorsUser,
            F::FiltersPagination,
            F::FieldsMeBasic,
            F::FieldsMeAdvanced,
        ],
    ),
    capability_of(
        "users.read",
        Risk::Low,
        &[F::SelectorsUser, F::FiltersPagination, F::FieldsUsersProfile],
    ),
    capability_of("forums.read", Risk::Low, &[F::SelectorsForum, F::FiltersPagination]),
    capability_of(
        "threads.read",
        Risk::Low,
        &[F::SelectorsForum, F::SelectorsThread, F::FiltersPagination],
    ),
    capability_of(
        "posts.read",
        Risk::Low,
        &[
            F::SelectorsThread,
            F::SelectorsPost,
            F::FiltersPagination,
            F::FieldsPostsBody,
        ],
    ),
    capability_of(
        "bytes.read",
        Risk::Low,
        &[F::SelectorsBytes, F::FiltersPagination, F::FieldsBytesAmount],
    ),
    capability_of(
        "contracts.read",
        Risk::High,
        &[F::SelectorsContract, F::FiltersPagination],
    ),
    capability_of("disputes.read", Risk::Low, &[F::SelectorsDispute, F::FiltersPagination]),
    capability_of("bratings.read", Risk::Low, &[F::SelectorsUser, F::FiltersPagination]),
    capability_of(
        "sigmarket.market.read",
        Risk::High,
        &[F::SelectorsSigmarket, F::FiltersPagination],
    ),
    capability_of(
        "sigmarket.order.read",
        Risk::High,
        &[F::SelectorsSigmarket, F::FiltersPagination],
    ),
    capability_of("admin.high_risk.read", Risk::High, &[F::FiltersPagination]),
    capability_of(
        "formatting.preflight",
        Risk::Low,
        &[F::FormattingContent, F::FiltersPagination],
    ),
    capability_of(
        "threads.create",
        Risk::Publishes,
        &[F::SelectorsForum, F::WritesContent, F::ConfirmLive],
    ),
    capability_of(
        "posts.reply",
        Risk::Publishes,
        &[F::SelectorsThread, F::WritesContent, F::ConfirmLive],
    ),
    capability_of(
        "bytes.transfer",
        Risk::High,
        &[F::SelectorsBytes, F::WritesBytes, F::ConfirmLive],
    ),
    capability_of(
        "bytes.deposit",
        Risk::High,
        &[F::SelectorsBytes, F::WritesBytes, F::ConfirmLive],
    ),
    capability_of(
        "bytes.withdraw",
        Risk::High,
        &[F::SelectorsBytes, F::WritesBytes, F::ConfirmLive],
    ),
    capability_of(
        "bytes.bump",
        Risk::High,
        &[F::SelectorsBytes, F::WritesBytes, F::ConfirmLive],
    ),
    capability_of(
        "contracts.write",
        Risk::Unverified,
        &[F::SelectorsContract, F::WritesContent, F::ConfirmLive],
    ),
    capability_of(
        "sigmarket.write",
        Risk::Unverified,
        &[F::SelectorsSigmarket, F::WritesContent, F::ConfirmLive],
    ),
    capability_of(
        "admin.high_risk.write",
        Risk::Unverified,
        &[F::WritesContent, F::ConfirmLive],
    ),
];
