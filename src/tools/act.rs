//! Which tool a call is for: its arguments become a request and an act, and its grant goes to that act.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::{
    Reply, Services, ToolCall, ToolError, hf, listed, terminal_close, terminal_exec, terminal_list, terminal_open,
    terminal_read, terminal_resize, terminal_run, terminal_send, terminal_signal, terminal_snapshot, terminal_wait,
};
use crate::limits::CommandPermit;
use crate::policy::{Caller, Grant};

/// What is asked of the policy and what is done with its grant, by the tool and its canonical arguments: what is done
/// is read from what is judged, and from nothing else.
pub(super) fn parse(services: &Services, caller: &Caller, call: ToolCall) -> super::ParseResult {
    match call.name.as_str() {
        terminal_run::NAME => terminal_run::parse(services, call.arguments),
        terminal_open::NAME => terminal_open::parse(services, call.arguments),
        terminal_exec::NAME => terminal_exec::parse(services, caller, call.arguments),
        terminal_send::NAME => terminal_send::parse(services, caller, call.arguments),
        terminal_snapshot::NAME => terminal_snapshot::parse(services, caller, call.arguments),
        terminal_resize::NAME => terminal_resize::parse(services, caller, call.arguments),
        terminal_signal::NAME => terminal_signal::parse(services, caller, call.arguments),
        terminal_wait::NAME => terminal_wait::parse(services, caller, call.arguments),
        terminal_read::NAME => terminal_read::parse(services, caller, call.arguments),
        terminal_list::NAME => terminal_list::parse(call.arguments),
        terminal_close::NAME => terminal_close::parse(services, caller, call.arguments),
        _ => Err(listed::unknown(&call.name)),
    }
}

/// What is done with a grant. What it holds says only how: what is asked of the policy is in the request.
#[derive(Debug)]
pub(crate) enum Act {
    Run(terminal_run::Manner),
    Open(terminal_open::Manner),
    Exec(terminal_exec::Manner),
    Send(terminal_send::Manner),
    Snapshot(terminal_snapshot::Manner),
    Resize(terminal_resize::Manner),
    Signal(terminal_signal::Manner),
    Wait(terminal_wait::Manner),
    Read(terminal_read::Manner),
    List,
    Close,
    Hf(Box<crate::hf::Asked>),
}

/// The turn of a command among those that run.
#[derive(Debug)]
pub(super) struct Turn {
    /// That it may run beside the others.
    pub(super) permit: CommandPermit,
    /// When the call is answered, whatever the command does: waiting counts.
    pub(super) deadline: Instant,
}

impl Act {
    /// Whether it could be done now: asked before a person is, and before it is counted.
    pub(super) fn ready(&self, services: &Services) -> Result<(), ToolError> {
        match (self, &services.hf) {
            (Self::Hf(asked), Some(hf)) => Ok(hf.ready(asked)?),
            _ => Ok(()),
        }
    }

    /// Waits until it may begin, where that needs waiting for: what was decided before may hold no more by then.
    /// Cancel-safe.
    pub(super) async fn turn(&self, services: &Services, caller: &Caller) -> Result<Option<Turn>, ToolError> {
        let Self::Run(manner) = self else { return Ok(None) };
        let deadline = Instant::now() + manner.patience;
        let permit = services.limits.command(caller, manner.patience).await?;
        Ok(Some(Turn { permit, deadline }))
    }

    /// Does it.
    pub(super) async fn apply(
        self,
        services: &Services,
        caller: &Caller,
        grant: Grant,
        turn: Option<Turn>,
        cancelled: CancellationToken,
    ) -> Result<Reply, ToolError> {
        match (self, grant) {
            (Self::Run(manner), Grant::Launch(grant)) => {
                let turn = turn.ok_or(ToolError::WrongGrant)?;
                terminal_run::apply(services, caller, grant, manner, turn, cancelled).await
            }
            (Self::Open(manner), Grant::Launch(grant)) => {
                terminal_open::apply(services, caller, grant, manner, cancelled).await
            }
            (Self::Exec(manner), Grant::Session(grant)) => {
                terminal_exec::apply(services, caller, &grant, manner, cancelled).await
            }
            (Self::Send(manner), Grant::Session(grant)) => {
                terminal_send::apply(services, caller, &grant, manner, cancelled).await
            }
            (Self::Snapshot(manner), Grant::Session(grant)) => {
                terminal_snapshot::apply(services, caller, &grant, manner).await
            }
            (Self::Resize(manner), Grant::Session(grant)) => {
                terminal_resize::apply(services, caller, &grant, manner).await
            }
            (Self::Signal(manner), Grant::Session(grant)) => {
                terminal_signal::apply(services, caller, &grant, manner).await
            }
            (Self::Wait(manner), Grant::Session(grant)) => {
                terminal_wait::apply(services, caller, &grant, manner, cancelled).await
            }
            (Self::Read(manner), Grant::Session(grant)) => {
                terminal_read::apply(services, caller, &grant, manner, cancelled).await
            }
            (Self::List, Grant::Session(_)) => terminal_list::apply(services, caller).await,
            (Self::Close, Grant::Session(grant)) => terminal_close::apply(services, caller, &grant).await,
            (Self::Hf(asked), Grant::Hf(grant)) => hf::apply(services, &grant, &asked, cancelled).await,
            (_, Grant::Launch(_) | Grant::Hf(_)) | (Self::Run(_) | Self::Open(_) | Self::Hf(_), Grant::Session(_)) => {
                Err(ToolError::WrongGrant)
            }
        }
    }
}
