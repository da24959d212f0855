//! What every request passes on its way in, and every answer on its way out.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, WWW_AUTHENTICATE,
            X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::Facts;

/// What a browser may do with an answer that is no page: nothing.
const NOTHING: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Headers of every answer. The last one keeps pages of other origins from embedding it, whatever they take it for.
const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, NOTHING),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Refuses what is asked by a name that is not the engine's, and gives every answer its headers where it has none of its own.
pub(super) async fn guard(
    State(facts): State<Arc<Facts>>,
    request: Request,
    next: Next,
) -> Response {
    let access = &facts.config.access;
    let mut answer = if access.takes_name_of(request.uri(), request.headers()) {
        next.run(request).await
    } else {
        let text = "this name is not known to be the engine's: ask by an address, show the token, or have the settings allow the name\n";
        (StatusCode::MISDIRECTED_REQUEST, text).into_response()
    };
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        answer.headers_mut().entry(name).or_insert(value);
    }
    answer
}

/// Refuses whoever does not show the token, where there is one.
pub(super) async fn with_token(
    State(facts): State<Arc<Facts>>,
    request: Request,
    next: Next,
) -> Response {
    if facts.config.access.is_open_to(request.headers()) {
        return next.run(request).await;
    }
    let challenge = [(WWW_AUTHENTICATE, "Bearer")];
    let text = "send the token that the settings name: Authorization: Bearer TOKEN\n";
    (StatusCode::UNAUTHORIZED, challenge, text).into_response()
}
