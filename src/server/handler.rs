//! What MCP asks of a server, for both eras of the protocol.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CustomRequest, CustomResult, Implementation,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ProgressNotificationParam, ProgressToken, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig, SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Map;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::http::Metrics;
use super::resources::{self, Subscriptions};
use super::user::{Brought, Client, Seal};
use super::{convert, instructions};
use crate::confirm::Unapproved;
use crate::policy::Caller;
use crate::tools::{self, Compat, Reply, Services, ToolCall, ToolError, compat_ht};

/// Characters of a method that nobody knows that are said back.
const METHOD: usize = 64;
/// How often a client that asked for it hears that a call goes on.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Answers one connection. It remembers nothing between calls but who is asking.
pub(super) struct Handler {
    services: Arc<Services>,
    caller: Caller,
    /// Fires when the caller may ask for nothing any more.
    over: CancellationToken,
    metrics: Option<Arc<Metrics>>,
    subscriptions: Subscriptions,
}

impl Handler {
    /// Calls end when `over` fires.
    pub(super) fn new(services: Arc<Services>, caller: Caller, over: CancellationToken) -> Self {
        Self {
            services,
            caller,
            over,
            metrics: None,
            subscriptions: Subscriptions::default(),
        }
    }

    /// The same, and counts calls.
    pub(super) fn counting(self, metrics: Arc<Metrics>) -> Self {
        Self {
            metrics: Some(metrics),
            ..self
        }
    }

    /// Counts a call that ended. What a caller wrote is never a name in the metrics.
    fn count(&self, name: &str, reply: &Result<Reply, ToolError>, since: Instant) {
        if let Some(metrics) = &self.metrics {
            let known = tools::own_name(name).unwrap_or("unknown");
            let outcome = reply.as_ref().map_or_else(ToolError::kind, |_| "done");
            metrics.called(known, outcome, since.elapsed());
        }
    }

    /// Runs a call, telling the client about once a second that it goes on. A notification is never
    /// left half sent, so that none comes after the answer.
    async fn run(
        &self,
        call: ToolCall,
        context: &RequestContext<RoleServer>,
        token: Option<ProgressToken>,
        brought: Option<Brought>,
    ) -> Result<Reply, ToolError> {
        let client = Client::of(context, brought);
        // What rmcp cancels with it comes later, when the caller may have been taken leave of already.
        let cancelled = self.over.child_token();
        // In a box: a future that is waited for inside another is in it twice, and a client may have thousands of calls.
        let mut call = Box::pin(async {
            let (services, caller, cancelled) = (&self.services, &self.caller, cancelled.clone());
            if services.compat == Some(Compat::HtMcp) && compat_ht::is_one(&call.name) {
                return compat_ht::run_as_ht(services, caller, call, cancelled).await;
            }
            tools::run(services, caller, call, Some(&client), cancelled).await
        });
        let answer = async {
            tokio::select! {
                answer = &mut call => return answer,
                () = context.ct.cancelled() => cancelled.cancel(),
            }
            call.await
        };
        let Some(token) = token else { return answer.await };
        tokio::pin!(answer);
        let started = Instant::now();
        let mut ticks = tokio::time::interval_at(started + PROGRESS_EVERY, PROGRESS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => return answer,
                _ = ticks.tick() => {}
            }
            let seconds = started.elapsed().as_secs_f64();
            let progress = ProgressNotificationParam::new(token.clone(), seconds)
                .with_message(format!("running for {seconds:.0} s"));
            tokio::select! {
                sent = context.peer.notify_progress(progress) => {
                    sent.ok(); // the client is gone; the end of its input tells
                }
                () = context.ct.cancelled() => {}
            }
        }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let terrarium = Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")).with_title("Terrarium");
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_resources_subscribe()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(terrarium)
            .with_instructions(instructions::compose(&self.services, &self.caller))
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        convert::first_page(page)?;
        // Anew each time: the policy may be another by now.
        let mut listed = tools::listed(&self.services, &self.caller);
        if self.services.compat == Some(Compat::HtMcp) {
            listed.extend(compat_ht::listed(&self.services, &self.caller));
        }
        let hack_forums = tools::hf_tools(&self.services, &self.caller).map(|tool| convert::hf_tool(&tool));
        let tools: Vec<Tool> = listed.into_iter().map(convert::tool).chain(hack_forums).collect();
        Ok(ListToolsResult::with_all_items(tools)
            .with_ttl_ms(0)
            .with_cache_scope(CacheScope::Private))
    }

    /// What rmcp does not know, or knows with other parameters.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method: String = request.method.chars().take(METHOD).collect();
        if convert::is_known(&method) {
            let call = ToolCall {
                name: method.clone(),
                arguments: Map::new(),
            };
            let counted = tools::misfit(&self.services, &self.caller, &call, "arguments").await;
            counted.map_err(|error| ErrorData::invalid_request(error.to_string(), None))?;
        }
        Err(convert::unknown(&self.services.audit.redactor().clean(&method)))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let token = context.meta.get_progress_token();
        let seal = Seal::of_process();
        let brought = seal.and_then(|seal| seal.brought(&self.caller, &request));
        let (name, since) = (request.name.clone(), Instant::now());
        let reply = self.run(convert::call(request), &context, token, brought).await;
        self.count(&name, &reply, since);
        if let Err(ToolError::Unapproved(Unapproved::Later(shown))) = &reply
            && let Some(later) = seal.and_then(|seal| seal.later(&self.caller, &name, shown))
        {
            return Ok(CallToolResponse::InputRequired(later));
        }
        convert::result(reply, self.services.audit.redactor()).map(CallToolResponse::Complete)
    }

    async fn list_resources(
        &self,
        page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        convert::first_page(page)?;
        resources::list(&self.services, &self.caller).await
    }

    async fn list_resource_templates(
        &self,
        page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        convert::first_page(page)?;
        Ok(resources::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        resources::read(&self.services, &self.caller, request.uri, &context).await
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let (services, caller) = (&self.services, &self.caller);
        self.subscriptions
            .add(services, caller, &request.uri, context.peer)
            .await
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.subscriptions.remove(&request.uri);
        Ok(())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(resources::accepted(requested))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        resources::listen(&self.services, &self.caller, context).await
    }
}
