//! Which fields of documents leave the process: rules from the three settings, and what is wrong with them.

use super::{
    Faults, Secret,
    kind::{Kind, optional},
    settings::Fields,
};
use crate::projection::{Action, Hasher, Mask, Path, Projection, Rule};

const EXCLUDE: &str = "CDC_FIELDS_EXCLUDE";
const INCLUDE: &str = "CDC_FIELDS_INCLUDE";
const MASK: &str = "CDC_FIELDS_MASK";
const SECRET: &str = "CDC_FIELDS_MASK_SECRET";

/// What takes the place of a value where nothing is said.
const CONSTANT: &str = "***";
/// What stands for a keyed hash.
const HASH: &str = "hash";
/// Shortest key. Whoever has a hash can try all shorter ones.
const KEY_BYTES_MIN: usize = 16;

/// The key of hashes, or none.
pub(super) fn key() -> Kind<Option<Secret>> {
    let kind = optional(Kind::new("", |text: &str| match text.len() {
        bytes if bytes < KEY_BYTES_MIN => Err(format!(
            "{bytes} bytes long, at least {KEY_BYTES_MIN} are needed; `openssl rand -hex 32` writes a good one"
        )),
        _ => Ok(Secret(text.to_owned())),
    }));
    kind.verbatim().secret()
}

impl Fields {
    /// The rules; none where no setting has a path.
    pub(super) fn projection(self, faults: &mut Faults) -> Option<Projection> {
        let excluded = paths(EXCLUDE, &self.exclude, faults);
        let included = paths(INCLUDE, &self.include, faults);
        let masked = self.masked(faults);
        check_ids(&excluded, &included, &masked, faults);
        for path in &included {
            contradict(INCLUDE, path, &excluded, faults);
        }
        for (index, (path, _)) in masked.iter().enumerate() {
            contradict(MASK, path, &excluded, faults);
            if masked[..index].iter().any(|(other, _)| other == path) {
                faults.add(
                    MASK,
                    format!("`{path}` is there twice; take one of them away"),
                );
            }
        }
        let excluded = excluded.into_iter().map(|path| (path, Action::Exclude));
        let included = included.into_iter().map(|path| (path, Action::Include));
        let masked = masked
            .into_iter()
            .map(|(path, mask)| (path, Action::Mask(mask)));
        let rules = excluded.chain(included).chain(masked);
        Projection::new(rules.map(|(path, action)| Rule { path, action }).collect())
    }

    fn masked(&self, faults: &mut Faults) -> Vec<(Path, Mask)> {
        let hasher = self.secret.as_ref();
        let hasher = hasher.map(|secret| Hasher::new(secret.0.as_bytes()));
        let mut all = Vec::new();
        for text in &self.mask {
            let (path, what) = text.split_once('=').unwrap_or((text.as_str(), CONSTANT));
            let mask = match what.trim() {
                HASH => hasher.clone().map(Mask::Hash),
                what => {
                    check_constant(text, what, faults);
                    Some(Mask::Constant(what.to_owned()))
                }
            };
            let path = parse(MASK, path.trim(), faults);
            match (path, mask) {
                (Some(path), Some(mask)) => all.push((path, mask)),
                (Some(path), None) => say_key_is_missing(&path, faults),
                (None, _) => {}
            }
        }
        all
    }
}

fn paths(variable: &str, texts: &[String], faults: &mut Faults) -> Vec<Path> {
    let all = texts.iter();
    all.filter_map(|text| parse(variable, text, faults))
        .collect()
}

fn parse(variable: &str, text: &str, faults: &mut Faults) -> Option<Path> {
    let path = text.parse();
    path.map_err(|fault| faults.add(variable, format!("`{text}`: {fault}")))
        .ok()
}

fn check_constant(text: &str, constant: &str, faults: &mut Faults) {
    if constant.is_empty() {
        faults.add(
            MASK,
            format!("`{text}`: nothing stands after the `=`; leave it out for `{CONSTANT}`"),
        );
    } else if constant.eq_ignore_ascii_case(HASH) {
        faults.add(
            MASK,
            format!("`{text}`: a hash is `={HASH}`, in small letters"),
        );
    }
}

/// Says it once, and not where a key was given that is none.
fn say_key_is_missing(path: &Path, faults: &mut Faults) {
    if !faults.iter().any(|(place, _)| place.starts_with(SECRET)) {
        faults.add(
            SECRET,
            format!(
                "not set, and {MASK} hashes `{path}`: set it, or {SECRET}_FILE, to what `openssl rand -hex 32` writes; \
                 or mask with a constant"
            ),
        );
    }
}

/// The `_id` tells documents apart, and so has to be there and to be different.
fn check_ids(excluded: &[Path], included: &[Path], masked: &[(Path, Mask)], faults: &mut Faults) {
    for path in excluded.iter().filter(|path| path.is_of_id()) {
        faults.add(
            EXCLUDE,
            format!(
                "`{path}`: every message has the document's `_id`; {MASK}={path}={HASH} hashes it"
            ),
        );
    }
    let parts = |path: &&Path| path.is_of_id() && !path.is_id();
    for path in included.iter().filter(parts) {
        let fault = format!("`{path}`: the whole `_id` always stays; leave this path out");
        faults.add(INCLUDE, fault);
    }
    for (path, mask) in masked {
        if path.is_of_id() && matches!(mask, Mask::Constant(_)) {
            faults.add(
                MASK,
                format!("`{path}`: with a constant, different documents have the same `_id`; write `{path}={HASH}`"),
            );
        }
    }
}

fn contradict(variable: &str, path: &Path, excluded: &[Path], faults: &mut Faults) {
    // That an id cannot go is said already.
    let mut others = excluded.iter().filter(|outer| !outer.is_of_id());
    if let Some(outer) = others.find(|outer| path.is_within(outer)) {
        faults.add(
            variable,
            format!("{EXCLUDE} takes `{outer}` away, and `{path}` with it; take one of the two paths out"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Given, Origin, Value};

    const KEY: (&str, &str) = ("CDC_FIELDS_MASK_SECRET", "0123456789abcdef");

    fn check(values: &[(&'static str, &str)]) -> Result<bool, String> {
        let given: Given = values
            .iter()
            .map(|(variable, text)| {
                let (text, origin) = ((*text).to_owned(), Origin::Environment);
                (*variable, Value { text, origin })
            })
            .collect();
        let config = Config::check(&given).map_err(|faults| faults.to_string());
        config.map(|(config, _)| config.pipeline.projection.is_some())
    }

    #[test]
    fn without_a_path_there_is_no_step() {
        assert_eq!(check(&[]), Ok(false));
        assert_eq!(check(&[KEY, ("CDC_FIELDS_MASK", "")]), Ok(false));
    }

    #[test]
    fn what_makes_sense_is_taken() {
        for values in [
            ("CDC_FIELDS_EXCLUDE", "a, games:b.*.c"),
            ("CDC_FIELDS_INCLUDE", "a,_id,shop.games:b"),
            (
                "CDC_FIELDS_MASK",
                "a,b=none at all,c=hash,_id=hash,_id.d=hash",
            ),
        ] {
            assert_eq!(check(&[KEY, values]), Ok(true), "{values:?}");
        }
        let narrower = [("CDC_FIELDS_INCLUDE", "a"), ("CDC_FIELDS_EXCLUDE", "a.b")];
        assert_eq!(check(&narrower), Ok(true));
    }

    #[test]
    fn a_hash_without_a_key_is_refused() {
        let faults = check(&[("CDC_FIELDS_MASK", "a=hash,b=hash")]).unwrap_err();
        let wanted = "  CDC_FIELDS_MASK_SECRET: not set, and CDC_FIELDS_MASK hashes `a`: set it, or \
                      CDC_FIELDS_MASK_SECRET_FILE, to what `openssl rand -hex 32` writes; or mask with a constant";
        assert_eq!(faults, wanted);
        let short = ("CDC_FIELDS_MASK_SECRET", "hunter2");
        let faults = check(&[("CDC_FIELDS_MASK", "a=hash"), short]).unwrap_err();
        assert!(faults.contains("7 bytes long, at least 16"), "{faults}");
        assert!(
            !faults.contains("hunter2") && !faults.contains("not set"),
            "{faults}"
        );
    }

    #[test]
    fn every_fault_is_told_with_its_mend() {
        let faults = check(&[
            KEY,
            ("CDC_FIELDS_EXCLUDE", "a,b..c,_id,d.0,$e"),
            ("CDC_FIELDS_INCLUDE", "a.b,_id.x,fullDocument.y"),
            ("CDC_FIELDS_MASK", "a=hash,f,f=x,_id,g=,h=HASH,i*"),
        ])
        .unwrap_err();
        for part in [
            "CDC_FIELDS_EXCLUDE: `b..c`: a name is empty",
            "CDC_FIELDS_EXCLUDE: `_id`: every message has the document's `_id`; CDC_FIELDS_MASK=_id=hash",
            "CDC_FIELDS_EXCLUDE: `d.0`: `0` is a number",
            "CDC_FIELDS_EXCLUDE: `$e`: `$e` begins with",
            "CDC_FIELDS_INCLUDE: CDC_FIELDS_EXCLUDE takes `a` away, and `a.b` with it",
            "CDC_FIELDS_INCLUDE: `_id.x`: the whole `_id` always stays",
            "CDC_FIELDS_INCLUDE: `fullDocument.y`: `fullDocument` is a field of the change event",
            "CDC_FIELDS_MASK: CDC_FIELDS_EXCLUDE takes `a` away",
            "CDC_FIELDS_MASK: `f` is there twice",
            "CDC_FIELDS_MASK: `_id`: with a constant",
            "CDC_FIELDS_MASK: `g=`: nothing stands after",
            "CDC_FIELDS_MASK: `h=HASH`: a hash is `=hash`",
            "CDC_FIELDS_MASK: `i*`: `*` stands for a whole name",
        ] {
            assert!(faults.contains(part), "no `{part}` in:\n{faults}");
        }
        assert_eq!(faults.lines().count(), 13, "{faults}");
    }
}
