use std::collections::BTreeSet;

use super::*;
use crate::hf::capabilities::{CAPABILITIES, Risk};
use crate::hf::features::{HfProfile, Overlay};

fn everything() -> Features {
    let overlay = Overlay {
        enable: OPERATIONS.iter().map(|operation| operation.tool.to_owned()).collect(),
        ..Overlay::default()
    };
    Features::new(HfProfile::FullApi, &overlay).unwrap()
}

#[test]
fn each_row_of_the_table_is_whole() {
    let names: BTreeSet<&str> = OPERATIONS.iter().map(|operation| operation.tool).collect();
    assert_eq!(names.len(), 24);
    for operation in OPERATIONS {
        let tool = operation.tool;
        let expected = format!("hf_{}", operation.capability.replace('.', "_"));
        let local = matches!(operation.act, Act::Local(_));
        assert!(local || tool == expected, "{tool}");
        assert!(operation.title.len() > 3 && operation.description.len() > 25, "{tool}");
        let capability = CAPABILITIES.iter().find(|c| c.name == operation.capability).unwrap();
        assert!(capability.risk != Risk::Unverified, "{tool}");
        let inputs: BTreeSet<&str> = operation.inputs(&everything()).map(|input| input.name).collect();
        assert_eq!(inputs.len(), operation.inputs(&everything()).count(), "{tool}");
        for input in operation.inputs {
            let own = input.family.is_none_or(|family| capability.families.contains(&family));
            assert!(own, "{tool} {}: a family that its capability does not have", input.name);
            assert!(input.about.ends_with('.'), "{tool} {}", input.name);
        }
        for hint in operation.hints {
            let target = super::operation(hint.tool).unwrap();
            assert!(!target.writes(), "{tool} proposes {}", hint.tool);
            assert!(
                target.inputs.iter().any(|input| input.name == hint.argument),
                "{tool} {hint:?}"
            );
        }
        let confirmed = inputs.contains("confirm_live");
        assert_eq!(confirmed, operation.writes(), "{tool}");
        if let Act::Write { route, target, .. } = operation.act {
            assert!(
                route.starts_with("write/") && target.is_none_or(|name| inputs.contains(name)),
                "{tool}"
            );
        }
    }
    for capability in CAPABILITIES {
        let offered = OPERATIONS
            .iter()
            .any(|operation| operation.capability == capability.name);
        assert_eq!(offered, capability.risk != Risk::Unverified, "{}", capability.name);
    }
    for family in Family::ALL {
        assert!(family.parents().count() > 0, "{}", family.name());
    }
}

#[test]
fn the_published_schemas_change_only_on_purpose() {
    let everything = everything();
    let schemas: Map<String, Value> = OPERATIONS
        .iter()
        .map(|operation| (operation.tool.to_owned(), operation.schema(&everything).into()))
        .collect();
    insta::assert_snapshot!("schemas", serde_json::to_string_pretty(&schemas).unwrap());
}

/// The table of docs/hack-forums.md.
#[test]
fn the_documented_table_is_this_one() {
    let mut table = String::from("| tool | does | arguments | needs | permission |\n|---|---|---|---|---|\n");
    for operation in OPERATIONS {
        let common = ["output_mode", "include_raw_payload", "body_format"];
        let inputs: Vec<String> = operation
            .inputs(&everything())
            .filter(|input| !common.contains(&input.name))
            .map(|input| format!("`{}`{}", input.name, if input.required { "*" } else { "" }))
            .collect();
        let does = match operation.act {
            Act::Read { route, .. } => format!("`{route}`"),
            Act::Write { route, .. } => format!("**`{route}`**"),
            Act::Local(_) => "local".to_owned(),
        };
        let risk = CAPABILITIES
            .iter()
            .find(|c| c.name == operation.capability)
            .unwrap()
            .risk;
        let needs = match operation.needs {
            Needs::Nothing => String::new(),
            Needs::AnyOf(names) | Needs::Selector(names) => format!("one or more of {}", names.join(", ")),
            Needs::OneOf(names) => format!("exactly one of {}", names.join(", ")),
        };
        let named = if risk == Risk::High { "; by name only" } else { "" };
        let scopes: Vec<&str> = operation.scopes.iter().map(|scope| scope.name()).collect();
        let row = format!(
            "| `{}` | {does}{named} | {} | {needs} | {} |\n",
            operation.tool,
            inputs.join(" "),
            scopes.join(", ")
        );
        table.push_str(&row);
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hack-forums.md");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(&table), "docs/hack-forums.md must hold:\n{table}");
}
