//! What a rule demands of one argument, which may be a value or a list of such values.
//!
//! A tool that takes both says `"type": ["integer", "array"]`, and JSON Schema passes over a list where a rule speaks of
//! numbers. So what is said of one value is asked of each item of a list: of what is allowed all must hold, of what is denied
//! or asked about one is enough. What is said of lists sees one value as a list of one.

use jsonschema::Validator;
use serde_json::{Map, Value};

use super::error::SchemaFault;
use super::file::RuleEffect;
use super::schema::{For, Strict, compile, types};

/// A demand that was compiled.
#[derive(Debug)]
pub(super) struct Demand {
    of: Of,
    validator: Validator,
    /// What also looks like it, where a person is to be asked about it: read as what is denied is.
    wide: Option<Validator>,
}

/// Of what something is demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// The value as it is.
    Value,
    /// Every item of a list, or the one value.
    Every,
    /// At least one item of a list, or the one value.
    Any,
    /// A list; one value is a list of one.
    List,
}

impl Demand {
    /// What is written in a rule with this effect, about an argument that the tools describe so.
    pub(super) fn new(written: &Value, tools: &[&Value], effect: RuleEffect) -> Result<Self, SchemaFault> {
        let strict = match effect {
            RuleEffect::Deny => Strict::Deny,
            RuleEffect::Allow | RuleEffect::Confirm => Strict::Allow,
        };
        let both = tools.iter().any(|tool| takes_lists_too(tool));
        let of = match (Said::by(written), effect) {
            _ if !both => Of::Value,
            (Said { one: true, list: true }, _) => return Err(SchemaFault::Mixed),
            (Said { list: true, .. }, _) => Of::List,
            (_, RuleEffect::Allow) => Of::Every,
            (_, RuleEffect::Deny | RuleEffect::Confirm) => Of::Any,
        };
        let tools: Vec<Value> = tools.iter().map(|tool| of.side(tool)).collect();
        let compile = |strict| compile(written, &tools.iter().collect::<Vec<_>>(), strict);
        let wide = (effect == RuleEffect::Confirm)
            .then(|| compile(Strict::Deny))
            .transpose()?;
        let validator = compile(strict)?;
        Ok(Self { of, validator, wide })
    }

    /// Whether a value is as demanded.
    pub(super) fn is_met_by(&self, value: &Value) -> bool {
        self.is_met(&self.validator, value)
    }

    /// Whether a value that is not as demanded only just is not: a line end or one more entry hides what a person is to be asked about.
    pub(super) fn is_nearly_met_by(&self, value: &Value) -> bool {
        self.wide.as_ref().is_some_and(|wide| self.is_met(wide, value))
    }

    fn is_met(&self, validator: &Validator, value: &Value) -> bool {
        match (self.of, value) {
            (Of::Every, Value::Array(items)) => !items.is_empty() && items.iter().all(|item| validator.is_valid(item)),
            (Of::Any, Value::Array(items)) => items.iter().any(|item| validator.is_valid(item)),
            (Of::List, value) => validator.is_valid(&as_list(value)),
            (Of::Value | Of::Every | Of::Any, value) => validator.is_valid(value),
        }
    }

    /// Why it is not, without the value.
    pub(super) fn why_not(&self, value: &Value) -> String {
        let why = |value: &Value| Some(self.validator.validate(value).err()?.masked().to_string());
        let found = match (self.of, value) {
            (Of::Every | Of::Any, Value::Array(items)) => items.iter().find_map(why),
            (Of::List, value) => why(&as_list(value)),
            (Of::Value | Of::Every | Of::Any, value) => why(value),
        };
        found.unwrap_or_default()
    }
}

impl Of {
    /// What a tool says of this, where it takes both.
    fn side(self, tool: &Value) -> Value {
        let (Value::Object(words), true) = (tool, takes_lists_too(tool)) else {
            return tool.clone();
        };
        let list = self == Self::List;
        let is = types(tool).find(|is| (*is == "array") == list);
        let suits = |word: &str| match For::keyword(word) {
            Some(For::List) => list,
            Some(For::Any) | None => true,
            Some(For::Number | For::Text | For::Object) => !list,
        };
        let kept = words.iter().filter(|(word, _)| suits(word));
        let mut side: Map<String, Value> = kept.map(|(word, value)| (word.clone(), value.clone())).collect();
        side.insert("type".to_owned(), is.into());
        Value::Object(side)
    }
}

/// Whether a schema speaks of one value, or of a list.
#[derive(Clone, Copy, Default)]
struct Said {
    one: bool,
    list: bool,
}

impl Said {
    fn by(schema: &Value) -> Self {
        let mut said = Self::default();
        for (word, value) in schema.as_object().into_iter().flatten() {
            match (word.as_str(), value) {
                ("not", schema) => said.add(Self::by(schema)),
                ("anyOf" | "allOf", Value::Array(all)) => all.iter().for_each(|schema| said.add(Self::by(schema))),
                ("type", Value::Array(all)) => all.iter().for_each(|name| said.note(name == "array")),
                ("type", name) => said.note(name == "array"),
                ("enum", Value::Array(all)) => all.iter().for_each(|value| said.note(value.is_array())),
                ("const", value) => said.note(value.is_array()),
                _ => match For::keyword(word) {
                    Some(For::Any) | None => {}
                    Some(wanted) => said.note(wanted == For::List),
                },
            }
        }
        said
    }

    fn note(&mut self, list: bool) {
        self.list |= list;
        self.one |= !list;
    }

    fn add(&mut self, other: Self) {
        self.list |= other.list;
        self.one |= other.one;
    }
}

/// Whether a tool takes one value and a list of such values.
fn takes_lists_too(tool: &Value) -> bool {
    types(tool).any(|is| is == "array") && types(tool).count() > 1
}

fn as_list(value: &Value) -> Value {
    match value {
        Value::Array(_) => value.clone(),
        one => Value::Array(vec![one.clone()]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RULES: [RuleEffect; 3] = [RuleEffect::Deny, RuleEffect::Confirm, RuleEffect::Allow];

    fn tool() -> Value {
        json!({
            "type": ["integer", "array"], "minimum": 1, "maximum": 1000,
            "minItems": 1, "maxItems": 3, "items": {"type": "integer", "minimum": 1, "maximum": 1000},
        })
    }

    #[test]
    fn what_is_said_of_a_number_is_asked_of_each_number_in_a_list() {
        // The schema, the value, and whether a rule that denies, asks and allows speaks of it.
        let table = [
            (json!({"maximum": 100}), json!(100), [true, true, true]),
            (json!({"maximum": 100}), json!(101), [false, false, false]),
            (json!({"maximum": 100}), json!([100]), [true, true, true]),
            (json!({"maximum": 100}), json!([101]), [false, false, false]),
            (json!({"maximum": 100}), json!([100, 101]), [true, true, false]),
            (json!({"const": 5}), json!([5]), [true, true, true]),
            (json!({"const": 5}), json!([6, 5]), [true, true, false]),
            (json!({"not": {"const": 5}}), json!(5), [false, false, false]),
            (json!({"not": {"const": 5}}), json!([5]), [false, false, false]),
            (json!({"not": {"const": 5}}), json!([5, 6]), [true, true, false]),
            (json!({"enum": [5, 6]}), json!([5, 6]), [true, true, true]),
            (
                json!({"anyOf": [{"const": 5}, {"minimum": 900}]}),
                json!([5, 901]),
                [true, true, true],
            ),
            (json!({"type": "integer"}), json!([5]), [true, true, true]),
            (json!({}), json!([5]), [true, true, true]),
            (json!({}), json!(5), [true, true, true]),
            (json!({}), json!("5"), [false, false, false]),
            (json!({}), json!([[5]]), [false, false, false]),
            (json!({}), json!([]), [false, false, false]),
            (json!({"maxItems": 2}), json!(5), [true, true, true]),
            (json!({"maxItems": 2}), json!([5, 6]), [true, true, true]),
            (json!({"maxItems": 2}), json!([5, 6, 7]), [false, false, false]),
            (json!({"contains": {"const": 5}}), json!(5), [true, true, true]),
            (json!({"contains": {"const": 5}}), json!([6, 5]), [true, true, true]),
            (json!({"items": {"maximum": 5}}), json!(6), [false, false, false]),
            (json!({"const": [5]}), json!(5), [true, true, true]),
            (json!({"type": "array"}), json!(5), [true, true, true]),
        ];
        for (schema, value, expected) in table {
            let tool = tool();
            let speaks = RULES.map(|effect| Demand::new(&schema, &[&tool], effect).unwrap().is_met_by(&value));
            assert_eq!(speaks, expected, "{schema} {value}");
        }
    }

    #[test]
    fn one_value_and_a_list_are_not_spoken_of_together() {
        let number = json!({"type": "integer", "minimum": 1});
        let table = [
            (
                json!({"anyOf": [{"const": 5}, {"const": [5]}]}),
                tool(),
                "write it for one value or for a list",
            ),
            (
                json!({"maximum": 5, "maxItems": 1}),
                tool(),
                "write it for one value or for a list",
            ),
            (
                json!({"type": ["integer", "array"]}),
                tool(),
                "write it for one value or for a list",
            ),
            (json!({"const": 5000}), tool(), "never takes 5000"),
            (json!({"const": [5000]}), tool(), "never takes [5000]"),
            (
                json!({"maxLength": 5}),
                tool(),
                "maxLength is for a text, and the argument is a integer",
            ),
            (
                json!({"maxItems": 1}),
                number,
                "maxItems is for a list, and the argument is a integer",
            ),
        ];
        for (schema, tool, expected) in table {
            for effect in RULES {
                // A tool that takes one value only stands beside one that takes both.
                let tools = [&super::tests::tool(), &tool];
                let fault = Demand::new(&schema, &tools, effect).unwrap_err().to_string();
                assert!(fault.contains(expected), "{schema}: {fault}");
            }
        }
    }

    #[test]
    fn one_more_entry_is_denied_by_a_deny_rule_and_no_way_around_a_question() {
        let env = json!({"type": "object", "additionalProperties": {"type": "string"}});
        let argv = json!({"type": "array", "items": {"type": "string"}});
        let table = [
            (
                &env,
                json!({"propertyNames": {"pattern": "LD_.*"}}),
                json!({"LD_X": "evil", "A": "1"}),
            ),
            (
                &env,
                json!({"additionalProperties": {"const": "evil"}}),
                json!({"LD_X": "evil", "A": "1"}),
            ),
            (
                &argv,
                json!({"items": {"enum": ["rm", "-r"]}}),
                json!(["rm", "-r", "x"]),
            ),
        ];
        for (tool, schema, value) in table {
            let [deny, confirm, allow] = RULES.map(|effect| Demand::new(&schema, &[tool], effect).unwrap());
            assert!(deny.is_met_by(&value), "{schema} {value}");
            assert!(
                !confirm.is_met_by(&value) && confirm.is_nearly_met_by(&value),
                "{schema} {value}"
            );
            assert!(
                !allow.is_met_by(&value) && !allow.is_nearly_met_by(&value),
                "{schema} {value}"
            );
        }
    }

    #[test]
    fn why_a_list_is_refused_is_told_of_the_item_that_it_is_refused_for() {
        let demand = Demand::new(&json!({"maximum": 100}), &[&tool()], RuleEffect::Allow).unwrap();
        assert_eq!(
            demand.why_not(&json!([5, 101])),
            "value is greater than the maximum of 100"
        );
    }
}
