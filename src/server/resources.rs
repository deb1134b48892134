//! Resources and subscriptions, for both eras of the protocol.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{
    CacheScope, ListResourceTemplatesResult, ListResourcesResult, ReadResourceResponse, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate, ResourceUpdatedNotificationParam, SubscriptionFilter,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{ErrorData, Peer, RoleServer};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::convert;
use crate::policy::Caller;
use crate::tools::Services;
use crate::tools::resources::{self, Subscription};

/// Addresses in one request to listen, as many as one caller may have subscriptions.
const MAX_LISTENED: usize = 64;

/// The subscriptions of one connection of the earlier era, by address; each ends when its guard is dropped.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(Mutex<HashMap<String, DropGuard>>);

impl Subscriptions {
    /// Tells the client from now on.
    pub(super) async fn add(
        &self,
        services: &Arc<Services>,
        caller: &Caller,
        uri: &str,
        peer: Peer<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.remove(uri); // a second one takes the place of the first
        let subscription = Subscription::open(Arc::clone(services), caller.clone(), uri).await;
        let mut subscription =
            subscription.map_err(|error| convert::resource_error(&error, services.audit.redactor()))?;
        let over = CancellationToken::new();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(uri.to_owned(), over.clone().drop_guard());
        drop(all);
        tokio::spawn(async move {
            let tell = async {
                while subscription.changed().await {
                    let update = ResourceUpdatedNotificationParam::new(subscription.uri());
                    if peer.notify_resource_updated(update).await.is_err() {
                        break; // the client is gone
                    }
                }
            };
            tokio::select! {
                () = tell => {}
                () = over.cancelled() => {}
            }
        });
        Ok(())
    }

    /// Tells the client no more.
    pub(super) fn remove(&self, uri: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(uri);
    }
}

/// What of a request to listen can be had: addresses, and none of them where they are too many.
pub(super) fn accepted(requested: &SubscriptionFilter) -> SubscriptionFilter {
    let mut accepted = SubscriptionFilter::new();
    accepted.resource_subscriptions = requested
        .resource_subscriptions
        .clone()
        .filter(|uris| uris.len() <= MAX_LISTENED);
    accepted
}

/// One request to listen, until it is cancelled or nothing of it is left.
pub(super) async fn listen(
    services: &Arc<Services>,
    caller: &Caller,
    context: SubscriptionContext,
) -> Result<(), ErrorData> {
    let requested = context.requested().resource_subscriptions.as_ref().map_or(0, Vec::len);
    if requested > MAX_LISTENED {
        let refused = resources::too_many(services, caller, requested, MAX_LISTENED).await;
        return Err(convert::resource_error(&refused, services.audit.redactor()));
    }
    let mut telling = JoinSet::new();
    let uris: BTreeSet<&String> = context.accepted().resource_subscriptions.iter().flatten().collect();
    for uri in uris {
        let Ok(mut subscription) = Subscription::open(Arc::clone(services), caller.clone(), uri).await else {
            continue; // not there, or not allowed: nothing is ever told about it
        };
        let sink = context.sink().clone();
        telling.spawn(async move {
            // The client was told that we listen before we did: what changed meanwhile is told by the first one.
            loop {
                let told = sink.notify_resource_updated(subscription.uri()).await;
                if told.is_err() || !subscription.changed().await {
                    break; // cancelled, or the client or the session is gone
                }
            }
        });
    }
    tokio::select! {
        () = async { while telling.join_next().await.is_some() {} } => {}
        () = context.cancelled() => {}
    }
    Ok(())
}

/// All that the caller can read.
pub(super) async fn list(services: &Services, caller: &Caller) -> Result<ListResourcesResult, ErrorData> {
    let entries = resources::list(services, caller).await;
    let entries = entries.map_err(|error| convert::resource_error(&error.into(), services.audit.redactor()))?;
    let resources = entries
        .into_iter()
        .map(|entry| Resource::new(entry.uri, entry.name).with_mime_type(entry.media_type));
    Ok(ListResourcesResult::with_all_items(resources.collect())
        .with_ttl_ms(0)
        .with_cache_scope(CacheScope::Private))
}

/// The addresses with a part to fill in.
pub(super) fn templates() -> ListResourceTemplatesResult {
    let all = resources::TEMPLATES
        .map(|(uri, name, description)| ResourceTemplate::new(uri, name).with_description(description));
    ListResourceTemplatesResult::with_all_items(all.to_vec())
        .with_ttl_ms(0)
        .with_cache_scope(CacheScope::Private)
}

/// Reads one.
pub(super) async fn read(
    services: &Services,
    caller: &Caller,
    uri: String,
    context: &RequestContext<RoleServer>,
) -> Result<ReadResourceResponse, ErrorData> {
    let contents = resources::read(services, caller, &uri, context.ct.clone()).await;
    let contents = contents.map_err(|error| convert::resource_error(&error, services.audit.redactor()))?;
    let text = ResourceContents::text(contents.text, uri).with_mime_type(contents.media_type);
    Ok(ReadResourceResult::new(vec![text])
        .with_ttl_ms(0)
        .with_cache_scope(CacheScope::Private)
        .into())
}
