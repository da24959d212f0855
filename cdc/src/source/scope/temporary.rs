//! Collections that the server makes for a while and then renames to what they are for: `$out`, `mapReduce`, a rename
//! into another database, `convertToCapped`. What happens in them is no change of a user's; the rename is.
//!
//! They are told by their names here and not in the server's filter, where that doubles what every other event costs.

/// Characters of a name that the server chooses at random.
const RANDOM_CHARACTERS: usize = 5;

/// Whether the server gives collections of its own such names.
pub(super) fn is_temporary(collection: &str) -> bool {
    let Some(rest) = collection.strip_prefix("tmp") else {
        return false;
    };
    let after_random = rest.get(RANDOM_CHARACTERS..).unwrap_or_default();
    rest.starts_with(".agg_out.")
        || rest.starts_with(".mr.")
        || after_random == ".renameCollection"
        || after_random.starts_with(".convertToCapped.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_names_are_told_from_those_of_users() {
        for name in [
            "tmp.agg_out.7bd1f8f4-4c79-4b4c-8ff6-d6a8b7d3a0a2",
            "tmp.mr.games_0",
            "tmpx3Kq9.renameCollection",
            "tmpx3Kq9.convertToCapped.games",
        ] {
            assert!(is_temporary(name), "{name}");
        }
        for name in [
            "tmp",
            "tmp.games",
            "tmpgames",
            "games.tmp.agg_out.1",
            "tmpx3Kq9x.renameCollection",
            "tmpx3Kq9.renameCollections",
            "tmpä",
        ] {
            assert!(!is_temporary(name), "{name}");
        }
    }
}
