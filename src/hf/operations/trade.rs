//! The reads of trade between members, and of administration.

use super::reads::{PAGE, PER_PAGE, always, flag, group, hint, id, ids};
use super::{Act, BLANK, Family, Needs, Operation, Scope};

pub(super) const BYTES: Operation = Operation {
    tool: "hf_bytes_read",
    capability: "bytes.read",
    title: "Bytes transactions",
    description: "Reads transactions in bytes, the currency of Hack Forums: by their numbers, of a member, from or to \
        a member. Give one of id, uid, from_uid, to_uid, target_uid.",
    act: Act::Read {
        route: "read/bytes",
        endpoint: "bytes",
    },
    inputs: &[
        ids(
            "id",
            "_id",
            Family::SelectorsBytes,
            "The transaction's number, or a list of numbers.",
        ),
        id("uid", "_uid", Family::SelectorsBytes, "Transactions of this member."),
        id(
            "target_uid",
            "_uid",
            Family::SelectorsBytes,
            "The same as uid; give one of them.",
        ),
        id(
            "from_uid",
            "_from",
            Family::SelectorsBytes,
            "Transactions from this member.",
        ),
        id("to_uid", "_to", Family::SelectorsBytes, "Transactions to this member."),
        PAGE,
        PER_PAGE,
        flag("include_amount", true, Family::FieldsBytesAmount, "The amounts."),
    ],
    needs: Needs::Selector(&["id", "uid", "target_uid", "from_uid", "to_uid"]),
    fields: &[
        always("id dateline type reason"),
        group(Family::FieldsBytesAmount, "include_amount", "amount"),
    ],
    scopes: &[Scope::Bytes],
    ids: &["id"],
    ..BLANK
};

pub(super) const CONTRACTS: Operation = Operation {
    tool: "hf_contracts_read",
    capability: "contracts.read",
    title: "Contracts",
    description: "Reads contracts between members of Hack Forums, by their numbers or of a member. Give cid or uid.",
    act: Act::Read {
        route: "read/contracts",
        endpoint: "contracts",
    },
    inputs: &[
        ids(
            "cid",
            "_cid",
            Family::SelectorsContract,
            "The contract's number, or a list of numbers.",
        ),
        id("uid", "_uid", Family::SelectorsContract, "Contracts of this member."),
        PAGE,
        PER_PAGE,
    ],
    needs: Needs::Selector(&["cid", "uid"]),
    fields: &[always(
        "cid dateline otherdateline public timeout_days timeout status istatus ostatus \
            cancelstatus type tid inituid otheruid muid iprice icurrency iproduct oprice \
            ocurrency oproduct terms template_id oaddress iaddress idispute odispute",
    )],
    scopes: &[Scope::Contracts],
    ids: &["cid", "tid"],
    newest_first: true,
    hints: &[
        hint("hf_disputes_read", "cid", "cid"),
        hint("hf_threads_read", "tid", "tid"),
        hint("hf_users_read", "uid", "inituid"),
        hint("hf_users_read", "uid", "otheruid"),
    ],
};

pub(super) const DISPUTES: Operation = Operation {
    tool: "hf_disputes_read",
    capability: "disputes.read",
    title: "Disputes",
    description: "Reads disputes about contracts, by their numbers, by contract, or by one of the parties. Hack Forums \
        is known to answer 503 to uid alone: prefer claimantuid or defendantuid.",
    act: Act::Read {
        route: "read/disputes",
        endpoint: "disputes",
    },
    inputs: &[
        ids(
            "cdid",
            "_cdid",
            Family::SelectorsDispute,
            "The dispute's number, or a list of numbers.",
        ),
        id("cid", "_cid", Family::SelectorsDispute, "Disputes about this contract."),
        id("uid", "_uid", Family::SelectorsDispute, "Disputes of this member."),
        id(
            "claimantuid",
            "_claimantuid",
            Family::SelectorsDispute,
            "Disputes that this member opened.",
        ),
        id(
            "defendantuid",
            "_defendantuid",
            Family::SelectorsDispute,
            "Disputes against this member.",
        ),
        PAGE,
        PER_PAGE,
    ],
    needs: Needs::Selector(&["cdid", "cid", "uid", "claimantuid", "defendantuid"]),
    fields: &[always(
        "cdid contractid claimantuid defendantuid dateline status dispute_tid claimantnotes \
            defendantnotes",
    )],
    scopes: &[Scope::Contracts],
    ids: &["cdid", "contractid"],
    newest_first: true,
    hints: &[
        hint("hf_threads_read", "tid", "dispute_tid"),
        hint("hf_users_read", "uid", "claimantuid"),
        hint("hf_users_read", "uid", "defendantuid"),
        hint("hf_contracts_read", "cid", "contractid"),
    ],
};

pub(super) const BRATINGS: Operation = Operation {
    tool: "hf_bratings_read",
    capability: "bratings.read",
    title: "Ratings of deals",
    description: "Reads the ratings that members gave each other for contracts. Give one of crid, cid, uid, from_uid, \
        to_uid.",
    act: Act::Read {
        route: "read/bratings",
        endpoint: "bratings",
    },
    inputs: &[
        ids(
            "crid",
            "_crid",
            Family::SelectorsUser,
            "The rating's number, or a list of numbers.",
        ),
        id("cid", "_cid", Family::SelectorsUser, "Ratings of this contract."),
        id("uid", "_uid", Family::SelectorsUser, "Ratings of this member."),
        id(
            "from_uid",
            "_from",
            Family::SelectorsUser,
            "Ratings that this member gave.",
        ),
        id("to_uid", "_to", Family::SelectorsUser, "Ratings that this member got."),
        PAGE,
        PER_PAGE,
    ],
    needs: Needs::Selector(&["crid", "cid", "uid", "from_uid", "to_uid"]),
    fields: &[always("crid contractid fromid toid dateline amount message contract")],
    scopes: &[Scope::Contracts],
    ids: &["crid", "contractid"],
    newest_first: true,
    hints: &[
        hint("hf_users_read", "uid", "fromid"),
        hint("hf_users_read", "uid", "toid"),
        hint("hf_contracts_read", "cid", "contractid"),
    ],
};

pub(super) const SIGMARKET_MARKET: Operation = Operation {
    tool: "hf_sigmarket_market_read",
    capability: "sigmarket.market.read",
    title: "Signature market",
    description: "Reads a member's offers on the signature market. Give uid.",
    act: Act::Read {
        route: "read/sigmarket/market",
        endpoint: "sigmarket/market",
    },
    inputs: &[
        id("uid", "_uid", Family::SelectorsSigmarket, "Offers of this member."),
        PAGE,
        PER_PAGE,
    ],
    needs: Needs::Selector(&["uid"]),
    fields: &[always("uid user price duration active sig dateadded ppd")],
    ids: &["uid"],
    hints: &[hint("hf_users_read", "uid", "uid")],
    ..BLANK
};

pub(super) const SIGMARKET_ORDER: Operation = Operation {
    tool: "hf_sigmarket_order_read",
    capability: "sigmarket.order.read",
    title: "Signature orders",
    description: "Reads orders of the signature market. Give one of smid, oid (the same), uid, seller, buyer.",
    act: Act::Read {
        route: "read/sigmarket/order",
        endpoint: "sigmarket/order",
    },
    inputs: &[
        ids(
            "smid",
            "_smid",
            Family::SelectorsSigmarket,
            "The order's number, or a list of numbers.",
        ),
        ids(
            "oid",
            "_smid",
            Family::SelectorsSigmarket,
            "The same as smid; give one of them.",
        ),
        id("uid", "_uid", Family::SelectorsSigmarket, "Orders of this member."),
        id(
            "seller",
            "_seller",
            Family::SelectorsSigmarket,
            "Orders at this member.",
        ),
        id("buyer", "_buyer", Family::SelectorsSigmarket, "Orders by this member."),
        PAGE,
        PER_PAGE,
    ],
    needs: Needs::Selector(&["smid", "oid", "uid", "seller", "buyer"]),
    fields: &[always("smid buyer seller startdate enddate price duration active")],
    ids: &["smid"],
    newest_first: true,
    hints: &[
        hint("hf_users_read", "uid", "buyer"),
        hint("hf_users_read", "uid", "seller"),
    ],
    ..BLANK
};

pub(super) const ADMIN: Operation = Operation {
    tool: "hf_admin_high_risk_read",
    capability: "admin.high_risk.read",
    title: "Administration",
    description: "Reads an endpoint of administration that no published description of the API knows; expect it to \
        fail.",
    act: Act::Read {
        route: "read/admin/high-risk/read",
        endpoint: "admin/high-risk/read",
    },
    inputs: &[PAGE, PER_PAGE],
    ..BLANK
};
