//! The judgement of one request by the rules: deny, then confirm, then allow, and nothing else is allowed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::digest::{Arguments, Digest};
use super::file::RuleEffect;
use super::grant::{Basis, Grant};
use super::question::{Approval, Channel, Question, RuleId};
use super::quota::Quota;
use super::rate::Rate;
use super::reason::Reason;
use super::request::{Asked, Caller};
use super::rule::{Fit, Matter, Rule};

/// What a policy says of a request.
#[derive(Debug)]
pub enum Judgement {
    /// It may be done, exactly so.
    Allowed(Grant),
    /// It may be done when a person says yes to it.
    Confirm(Box<Question>),
    /// It may not.
    Denied(Reason),
}

/// Who may ask for what.
#[derive(Debug)]
pub struct Policy {
    pub(super) revision: String,
    pub(super) digest: Digest,
    pub(super) tools: HashMap<&'static str, ToolRules>,
    pub(super) rates: Vec<Rate>,
}

/// The rules that speak of one tool.
#[derive(Debug, Default)]
pub(super) struct ToolRules {
    /// Those that deny, then those that ask, then those that allow.
    pub(super) rules: Vec<Arc<Rule>>,
    /// What the tool takes for arguments that are left out.
    pub(super) defaults: Map<String, Value>,
}

/// What the rules say, before anybody acts on it.
#[derive(Debug)]
pub(super) enum Finding {
    Allowed(Basis),
    Confirm {
        basis: Basis,
        by: Vec<Channel>,
        within: Duration,
    },
    Denied(Reason),
}

impl Policy {
    /// A policy without rules, under which only the person at the command line may do anything.
    pub fn without_rules() -> Self {
        Self {
            revision: "none".to_owned(),
            digest: Digest::of(b"no rules"),
            tools: HashMap::new(),
            rates: Vec::new(),
        }
    }

    /// The operator's name for this state of the policy.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The digest of all that it says.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How often tools may be called.
    pub fn rates(&self) -> &[Rate] {
        &self.rates
    }

    /// Judges one request. The grant owns it, so that nothing else can be done in its name. An approval is used up.
    pub fn judge(&self, caller: &Caller, asked: &Asked, approval: Option<Approval>) -> Judgement {
        let found = self.consult(
            caller,
            asked.request.tool(),
            asked.request.profile(),
            asked.opened.as_ref().map(|opened| opened.profile.name.as_str()),
            &asked.arguments,
        );
        match found {
            Finding::Allowed(basis) => Judgement::Allowed(Grant::new(caller, asked, basis)),
            Finding::Denied(reason) => Judgement::Denied(reason),
            Finding::Confirm { basis, by, within } => {
                let question = Question::new(caller, asked, basis.clone(), by, within, &self.digest);
                match approval {
                    None => Judgement::Confirm(Box::new(question)),
                    Some(yes) if yes.answers(&question) => Judgement::Allowed(Grant::new(caller, asked, basis)),
                    Some(_) => Judgement::Denied(Reason::Approval { rule: basis.rule }),
                }
            }
        }
    }

    /// What the rules say of a request with these parts.
    pub(super) fn consult(
        &self,
        caller: &Caller,
        tool: &str,
        starts: Option<&str>,
        uses: Option<&str>,
        arguments: &Arguments,
    ) -> Finding {
        if matches!(caller, Caller::Operator { .. }) {
            let rule = RuleId::new("operator"); // the person at the command line made the rules
            return Finding::Allowed(Basis {
                rule,
                quotas: Vec::new(),
            });
        }
        let none = ToolRules::default();
        let of_tool = self.tools.get(tool).unwrap_or(&none);
        let matter = Matter {
            starts,
            uses,
            arguments,
            defaults: &of_tool.defaults,
        };
        let name = caller.in_rules();
        let speaking = of_tool.rules.iter().filter(|rule| rule.speaks_of(&name));
        let nothing = || Reason::NoRule {
            caller: caller.clone(),
            tool: tool.to_owned(),
        };
        match gather(speaking, &matter, nothing) {
            Ok(fitting) => conclude(&fitting, arguments.values()).unwrap_or_else(Finding::Denied),
            Err(reason) => Finding::Denied(reason),
        }
    }

    /// The profiles that a caller may start with a tool, perhaps after a question, out of `names`; empty where the tool
    /// starts nothing or they may not use it.
    pub fn profiles<'a>(&self, caller: &Caller, tool: &str, names: &[&'a str]) -> Vec<&'a str> {
        if matches!(caller, Caller::Operator { .. }) {
            return names.to_vec();
        }
        let caller = caller.in_rules();
        let speaking = |rule: &&Arc<Rule>| rule.speaks_of(&caller);
        let rules = || self.tools.get(tool).into_iter().flat_map(|tool| &tool.rules);
        let names_it = |rule: &Rule, name: &str| rule.profiles.as_ref().is_none_or(|all| all.iter().any(|p| p == name));
        let could = |name: &str| {
            let denied = rules()
                .filter(speaking)
                .any(|rule| rule.effect == RuleEffect::Deny && rule.arguments.is_none() && names_it(rule, name));
            let mut allowed = rules().filter(speaking).filter(|rule| rule.effect != RuleEffect::Deny);
            !denied && allowed.any(|rule| names_it(rule, name))
        };
        names.iter().copied().filter(|name| could(name)).collect()
    }

    /// Whether some request of a caller for a tool could be allowed, perhaps after a question.
    pub fn offers(&self, caller: &Caller, tool: &str) -> bool {
        if matches!(caller, Caller::Operator { .. }) {
            return true;
        }
        let caller = caller.in_rules();
        let rules = self.tools.get(tool).into_iter().flat_map(|tool| &tool.rules);
        let speaking: BTreeMap<bool, Vec<&Arc<Rule>>> =
            rules
                .filter(|rule| rule.speaks_of(&caller))
                .fold(BTreeMap::new(), |mut all, rule| {
                    all.entry(rule.effect == RuleEffect::Deny).or_default().push(rule);
                    all
                });
        let denied = speaking
            .get(&true)
            .is_some_and(|rules| rules.iter().any(|rule| rule.is_without_condition()));
        !denied && speaking.contains_key(&false)
    }
}

/// The rules that speak of the request, all asking or all allowing where one allows; or why it is denied.
fn gather<'a>(
    rules: impl Iterator<Item = &'a Arc<Rule>>,
    matter: &Matter<'a>,
    nothing: impl FnOnce() -> Reason,
) -> Result<Vec<&'a Rule>, Reason> {
    let mut fitting: Vec<&Rule> = Vec::new();
    let (mut closest, mut how_close) = (None, 0);
    for rule in rules {
        match (rule.fits(matter), rule.effect) {
            (Fit::Fits, RuleEffect::Deny) => return Err(Reason::Rule { rule: rule.id.clone() }),
            (Fit::Fits, _) => fitting.push(rule),
            // What a person would be asked about must not slip by with one more argument.
            (Fit::More(mismatch), RuleEffect::Confirm) => return Err(mismatch.reason()),
            (Fit::More(mismatch), _) if how_close < 3 => (closest, how_close) = (Some(mismatch), 3),
            (Fit::Differs(close, mismatch), RuleEffect::Allow | RuleEffect::Confirm) if how_close < close => {
                (closest, how_close) = (Some(mismatch), close);
            }
            (Fit::More(_) | Fit::Differs(..), _) => {}
        }
    }
    match fitting.is_empty() {
        true => Err(closest.map_or_else(nothing, |mismatch| mismatch.reason())),
        false => Ok(fitting),
    }
}

/// What follows from the rules that speak of a request; those that ask come first. The bounds of all of them hold.
fn conclude(fitting: &[&Rule], arguments: &Map<String, Value>) -> Result<Finding, Reason> {
    let mut quotas: Vec<Quota> = Vec::new();
    for rule in fitting {
        quotas.extend(rule.quotas(arguments)?);
    }
    let mut asking = fitting.iter().filter_map(|rule| Some((*rule, rule.confirm.as_ref()?)));
    let Some((first, confirm)) = asking.next() else {
        let rule = fitting.first().map_or_else(RuleId::none, |rule| rule.id.clone());
        return Ok(Finding::Allowed(Basis { rule, quotas }));
    };
    let (mut by, mut within) = (confirm.by.clone(), confirm.within);
    for (rule, confirm) in asking {
        by.retain(|channel| confirm.by.contains(channel));
        within = within.min(confirm.within);
        if by.is_empty() {
            return Err(Reason::Channels { rule: rule.id.clone() });
        }
    }
    let rule = first.id.clone();
    Ok(Finding::Confirm {
        basis: Basis { rule, quotas },
        by,
        within,
    })
}
