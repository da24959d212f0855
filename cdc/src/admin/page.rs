//! The status page: one file made of its parts, the same for everybody and without data, which its script asks for.

use std::sync::LazyLock;

use axum::{
    http::{
        HeaderValue,
        header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    },
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
/// In the order in which a browser runs them, as one script.
const SCRIPTS: [&str; 6] = [
    include_str!("page/words.js"),
    include_str!("page/elements.js"),
    include_str!("page/headline.js"),
    include_str!("page/chart.js"),
    include_str!("page/sections.js"),
    include_str!("page/page.js"),
];

static PARTS: LazyLock<Parts> = LazyLock::new(Parts::new);

struct Parts {
    script: String,
    /// What the page may do: run this script, and ask its own origin.
    policy: HeaderValue,
}

/// The page. Where there is a token, its script asks the visitor for that first.
pub(super) fn page(asks_for_token: bool) -> Response {
    let token = if asks_for_token { "needed" } else { "none" };
    let text = PAGE
        .replacen("{token}", token, 1)
        .replacen("{style}", STYLE, 1)
        .replacen("{script}", &PARTS.script, 1);
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (CONTENT_SECURITY_POLICY, PARTS.policy.clone()),
    ];
    (headers, text).into_response()
}

impl Parts {
    fn new() -> Self {
        let script = SCRIPTS.concat();
        let policy = format!(
            "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
            source(&script),
            source(STYLE)
        );
        let policy = HeaderValue::try_from(policy).expect("it is ASCII");
        Self { script, policy }
    }
}

/// How a policy names an inline element with this content.
fn source(content: &str) -> String {
    let mut text = [0; 44];
    let hash = Sha256::digest(content);
    let written = STANDARD.encode_slice(hash, &mut text);
    assert_eq!(written, Ok(text.len()), "32 bytes are 44 characters");
    format!("sha256-{}", String::from_utf8_lossy(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(asks_for_token: bool) -> String {
        let body = page(asks_for_token).into_body();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_page_names_nothing_outside_of_itself() {
        let text = text(false).await;
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            let found = text
                .find(outside)
                .map(|at| &text[at..text.len().min(at + 60)]);
            // The name of SVG's namespace is no address.
            let is_name =
                found.is_some_and(|found| found.starts_with("http://www.w3.org/2000/svg"));
            assert!(found.is_none() || is_name, "{found:?}");
        }
        assert!(text.len() < 64 << 10, "{}", text.len());
    }

    #[tokio::test]
    async fn the_policy_names_what_is_in_the_page() {
        let text = text(true).await;
        assert!(text.contains("data-token=\"needed\""));
        let policy = page(true).headers()[CONTENT_SECURITY_POLICY].clone();
        for tag in ["style", "script"] {
            let (_, rest) = text.split_once(&format!("<{tag}>")).unwrap();
            let (content, _) = rest.split_once(&format!("</{tag}>")).unwrap();
            let named = format!("{tag}-src '{}'", source(content));
            assert!(policy.to_str().unwrap().contains(&named), "{named}");
        }
    }

    #[test]
    fn a_hash_is_written_as_a_policy_has_it() {
        // printf 'a' | openssl dgst -sha256 -binary | base64
        let expected = "sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=";
        assert_eq!(source("a"), expected);
    }
}
