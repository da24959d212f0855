//! What is answered under which path. Nothing here changes anything: every path takes GET and HEAD alone.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderName, StatusCode, header::CONTENT_TYPE},
    middleware::from_fn_with_state,
    response::Response,
    routing::get,
};
use serde_json::{Value, json};

use super::{Facts, guard, page, status};
use crate::health::Report;

/// The query that asks for less.
const BRIEF: &str = "brief";

type Answer = (StatusCode, [(HeaderName, &'static str); 1], String);

/// Every path, with what each request has to have.
pub(super) fn router(facts: Arc<Facts>) -> Router {
    let closed = Router::new()
        .route("/metrics", get(scrape))
        .route("/status.json", get(status_json))
        .route_layer(from_fn_with_state(Arc::clone(&facts), guard::with_token));
    let open = Router::new()
        .route("/", get(status_page))
        .route("/live", get(async || "live\n"))
        .route("/ready", get(ready));
    open.merge(closed)
        .with_state(Arc::clone(&facts))
        .layer(from_fn_with_state(facts, guard::guard))
}

/// `GET /metrics`.
async fn scrape(State(facts): State<Arc<Facts>>) -> Answer {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let page = facts.subject.metrics.encode();
    (StatusCode::OK, [(CONTENT_TYPE, kind)], page)
}

/// `GET /ready`. A probe, which has no token, is told whether and not why.
async fn ready(State(facts): State<Arc<Facts>>, headers: HeaderMap) -> Answer {
    let report = facts.subject.health.report();
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = if facts.config.access.is_open_to(&headers) {
        readiness(&report)
    } else {
        json!({ "ready": report.ready })
    };
    json_answer(status, &body)
}

/// `GET /status.json`, or `GET /status.json?brief` without what changes seldom.
async fn status_json(State(facts): State<Arc<Facts>>, RawQuery(query): RawQuery) -> Answer {
    let is_whole = query.as_deref() != Some(BRIEF);
    json_answer(StatusCode::OK, &status::status(&facts, is_whole))
}

/// `GET /`. The page is the same for everybody and holds no data, so it needs no token.
async fn status_page(State(facts): State<Arc<Facts>>) -> Response {
    page::page(facts.config.access.token.is_some())
}

fn json_answer(status: StatusCode, body: &Value) -> Answer {
    let headers = [(CONTENT_TYPE, "application/json")];
    (status, headers, format!("{body}\n"))
}

fn readiness(report: &Report) -> Value {
    let obstacles = report.obstacles.iter().map(|obstacle| {
        json!({
            "cause": obstacle.cause.to_string(),
            "reason": obstacle.reason,
            "for_seconds": obstacle.since.elapsed().as_secs(),
        })
    });
    json!({
        "ready": report.ready,
        "role": report.role.to_string(),
        "obstacles": obstacles.collect::<Vec<_>>(),
        "notice": report.notice,
        "catching_up": report.behind_seconds.map(|seconds| json!({ "behind_seconds": seconds })),
    })
}
