//! Who may ask what: by which name, and with which token.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use axum::http::{HeaderMap, Uri, header, uri::Authority};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// How a header tells that a token follows.
const SCHEME: &str = "Bearer";
/// The name of every machine's loopback address.
const LOCALHOST: &str = "localhost";

/// What a request has to have.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// What opens all that tells more than whether the engine is ready; nothing is closed where there is none.
    pub token: Option<Token>,
    /// Names by which a client may ask, beside those of loopback and addresses.
    pub hosts: Vec<String>,
}

/// A text that a client has to show. It is never written out.
#[derive(Clone)]
pub struct Token(String);

impl Access {
    /// Whether the request shows the token, or needs none.
    pub(super) fn is_open_to(&self, headers: &HeaderMap) -> bool {
        self.token.is_none() || self.is_shown_by(headers)
    }

    fn is_shown_by(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(header::AUTHORIZATION);
        self.token
            .as_ref()
            .zip(shown)
            .is_some_and(|(token, shown)| token.is_in(shown.as_bytes()))
    }

    /// Whether the request is for a name that is this engine's.
    ///
    /// A web page of somebody else's can have its own name lead to this port, and then reads what its visitor's browser may
    /// read. It cannot have an address lead here, it has no token, and only a browser is sure to say for whom a request is.
    pub(super) fn takes_name_of(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        if self.is_shown_by(headers) {
            return true;
        }
        let hosts = headers.get_all(header::HOST).iter();
        let hosts = hosts.map(|host| Authority::try_from(host.as_bytes()).ok());
        hosts
            .chain(uri.authority().cloned().map(Some))
            .all(|host| host.is_some_and(|host| self.knows(&host)))
    }

    fn knows(&self, host: &Authority) -> bool {
        if host.as_str().contains('@') {
            return false;
        }
        let host = host.host();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        if address.parse::<Ipv4Addr>().is_ok() || address.parse::<Ipv6Addr>().is_ok() {
            return true;
        }
        let name = host.strip_suffix('.').unwrap_or(host);
        let mut names = self.hosts.iter().map(String::as_str);
        name.eq_ignore_ascii_case(LOCALHOST) || names.any(|known| name.eq_ignore_ascii_case(known))
    }
}

impl Token {
    /// The token with this text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// What a client writes into the header `Authorization`.
    pub fn authorization(&self) -> String {
        format!("{SCHEME} {}", self.0)
    }

    /// How long it takes tells nothing of the token, its length included: hashes are compared, each to its end.
    fn is_in(&self, authorization: &[u8]) -> bool {
        let text = std::str::from_utf8(authorization).unwrap_or_default();
        let (scheme, shown) = text.split_once(' ').unwrap_or_default();
        let [ours, shown] = [&self.0, shown.trim()].map(Sha256::digest);
        scheme.eq_ignore_ascii_case(SCHEME) && bool::from(ours.as_slice().ct_eq(shown.as_slice()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &header::HeaderName, values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| value.parse().unwrap());
        values.map(|value| (name.clone(), value)).fold(
            HeaderMap::new(),
            |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            },
        )
    }

    fn is_known(uri: &str, hosts: &[&str]) -> bool {
        let access = Access {
            hosts: vec!["cdc.example".to_owned(), "cdc".to_owned()],
            ..Access::default()
        };
        access.takes_name_of(&uri.parse().unwrap(), &headers(&header::HOST, hosts))
    }

    #[test]
    fn addresses_loopback_and_the_names_of_the_settings_are_known() {
        for host in [
            "127.0.0.1:9464",
            "10.2.3.4",
            "[::1]:9464",
            "[fd00::7]",
            "localhost:9464",
            "LOCALHOST.",
            "cdc.example",
            "CDC:9464",
        ] {
            assert!(is_known("/metrics", &[host]), "{host}");
        }
        assert!(is_known("/ready", &[]), "no browser leaves it out");
    }

    #[test]
    fn every_other_name_is_somebody_elses() {
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
            "evil.example@127.0.0.1",
            "evil.cdc.example",
            "",
            "127.1",
            "a b",
        ] {
            assert!(!is_known("/metrics", &[host]), "{host}");
        }
        assert!(!is_known("/metrics", &["localhost", "evil.example"]));
        assert!(!is_known("http://evil.example/metrics", &["localhost"]));
        assert!(is_known("http://127.0.0.1/metrics", &["localhost"]));
    }

    #[test]
    fn only_the_whole_token_opens() {
        let token = Token::new("0123456789abcdef".to_owned());
        let right = token.authorization();
        let access = Access {
            token: Some(token),
            ..Access::default()
        };
        let is_open = |shown: &str| access.is_open_to(&headers(&header::AUTHORIZATION, &[shown]));
        assert!(is_open(&right) && is_open("bearer  0123456789abcdef"));
        for shown in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer 0123456789ABCDEF",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
        ] {
            assert!(!is_open(shown), "{shown}");
        }
        assert!(!access.is_open_to(&HeaderMap::new()));
        let mut by_name = headers(&header::HOST, &["cdc.example"]);
        let takes = |headers: &HeaderMap| access.takes_name_of(&Uri::from_static("/"), headers);
        assert!(!takes(&by_name));
        by_name.insert(header::AUTHORIZATION, right.parse().unwrap());
        assert!(takes(&by_name));
        assert!(Access::default().is_open_to(&HeaderMap::new()));
        assert!(!format!("{access:?}").contains("0123"));
    }
}
