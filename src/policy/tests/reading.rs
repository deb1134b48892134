//! Schemas and values from few words, so that they often have to do with one another.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        prop_oneof![Just(0.5), Just(1.0), Just(-2.5)].prop_map(Value::from),
        "[ab\n]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn schemas() -> impl Strategy<Value = Value> {
    let types = prop_oneof![
        Just("string"),
        Just("integer"),
        Just("number"),
        Just("boolean"),
        Just("array"),
        Just("object"),
    ];
    let leaf = prop_oneof![
        types.prop_map(|name| json!({"type": name})),
        values().prop_map(|value| json!({"const": value})),
        proptest::collection::vec(values(), 1..3).prop_map(|list| json!({"enum": list})),
        (-3_i64..4).prop_map(|n| json!({"minimum": n})),
        (-3_i64..4).prop_map(|n| json!({"exclusiveMaximum": n})),
        (0_u64..3).prop_map(|n| json!({"maxLength": n, "minLength": 0})),
        "[ab.*|+]{0,3}".prop_map(|pattern| json!({"pattern": pattern})),
        (0_u64..3, any::<bool>()).prop_map(|(n, unique)| json!({"maxItems": n, "uniqueItems": unique})),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let list = || proptest::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            inner.clone().prop_map(|schema| json!({"not": schema})),
            list().prop_map(|all| json!({"anyOf": all})),
            list().prop_map(|all| json!({"allOf": all})),
            inner.clone().prop_map(|schema| json!({"items": schema})),
            inner.clone().prop_map(|schema| json!({"contains": schema})),
            inner
                .clone()
                .prop_map(|schema| json!({"properties": {"a": schema}, "required": ["a"]})),
            (inner.clone(), inner.clone())
                .prop_map(|(a, others)| json!({"properties": {"a": a}, "additionalProperties": others})),
            inner.clone().prop_map(|schema| json!({"propertyNames": schema})),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_schema_means_what_a_plain_reading_says(schema in schemas(), value in values()) {
        crate::policy::fuzz::matching(json!({"schema": schema, "value": value}).to_string().as_bytes());
    }
}
