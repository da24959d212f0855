//! The admin port: where it listens, and who may ask.

use super::{
    Faults, Given,
    effective::effective,
    kind::{Kind, optional, parts},
    settings::AdminPort,
};
use crate::admin::{Access, Config, Setting, Token};

const ADDRESS: &str = "CDC_ADMIN_ADDR";

/// Shortest token: nobody may find it by trying.
const TOKEN_BYTES_MIN: usize = 16;
/// Longest one, so that it fits into a request's head.
const TOKEN_BYTES_MAX: usize = 4_096;

/// What clients have to show, or nothing.
///
/// It may have what a header can carry by RFC 6750, section 2.1.
pub(super) fn token() -> Kind<Option<Token>> {
    let may_be = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let kind = Kind::new("", move |text: &str| match text.len() {
        bytes if bytes < TOKEN_BYTES_MIN => Err(format!(
            "{bytes} bytes long, at least {TOKEN_BYTES_MIN} are needed; `openssl rand -hex 32` writes a good one"
        )),
        bytes if TOKEN_BYTES_MAX < bytes => Err(format!(
            "{bytes} bytes long, at most {TOKEN_BYTES_MAX} may be"
        )),
        _ if !text.bytes().all(may_be) => {
            Err("has other characters than letters, digits and - . _ ~ + / =".to_owned())
        }
        _ => Ok(Token::new(text.to_owned())),
    });
    optional(kind).secret()
}

/// Names of machines, without ports.
pub(super) fn host_names() -> Kind<Vec<String>> {
    let may_be = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    Kind::new("", move |text| {
        let name = |name: &str| {
            if name.bytes().all(may_be) {
                return Ok(name.trim_end_matches('.').to_owned());
            }
            Err(format!(
                "`{name}` is not the name of a machine such as cdc.example, without a port"
            ))
        };
        parts(text).map(name).collect()
    })
}

impl AdminPort {
    /// Whoever listens to other machines says who may ask.
    pub(super) fn config(self, given: &Given, faults: &mut Faults) -> Config {
        let is_closed = self.token.is_some() || self.allow_anyone;
        if let Some(address) = self.address
            && !is_closed
            && !address.ip().to_canonical().is_loopback()
        {
            let text = format!(
                "{address} lets other machines in: set CDC_ADMIN_TOKEN (or CDC_ADMIN_TOKEN_FILE) to what they have to \
                 send, or CDC_ADMIN_ALLOW_ANYONE=on where whoever can connect may read metrics, errors and settings"
            );
            faults.add(ADDRESS, text);
        }
        Config {
            address: self.address,
            access: Access {
                token: self.token,
                hosts: self.hosts,
            },
            settings: settings(given),
            advice: None,
        }
    }
}

/// The settings as they hold, for people to look at.
fn settings(given: &Given) -> Vec<Setting> {
    let all = effective(given).into_iter();
    let all = all.map(|one| Setting {
        name: one.setting.variable,
        source: one.source(),
        is_default: one.origin.is_none(),
        value: one.value,
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_and_fits_into_a_header() {
        let fault = |text: &str| (token().parse)(text).err().unwrap_or_default();
        assert_eq!(fault(""), "");
        assert_eq!(fault("0123456789abcdef+/=-._~"), "");
        assert!(fault("0123456789abcde").contains("at least 16"));
        assert!(fault(&"x".repeat(5_000)).contains("at most 4096"));
        for text in [
            "0123456789 abcdef",
            "0123456789abcdéf",
            "0123456789abcdef\n",
        ] {
            assert!(fault(text).contains("other characters"), "{text}");
        }
    }

    #[test]
    fn names_are_names_and_nothing_more() {
        let names = |text: &str| (host_names().parse)(text);
        assert_eq!(names("").unwrap(), [""; 0]);
        let all = names("cdc.example., cdc").unwrap();
        assert_eq!(all, ["cdc", "cdc.example"]);
        for text in ["http://cdc", "cdc:9464", "*", "[::1]", "a b"] {
            assert!(names(text).is_err(), "{text}");
        }
    }
}
