//! Applies what a change event says of an update to the document before it.

use bson::{Bson, Document};

/// A field, or an element of an array.
enum Place<'a> {
    Field(&'a mut Document, &'a str),
    Element(&'a mut Vec<Bson>, usize),
}

/// Applies an `updateDescription`.
///
/// # Errors
/// If it does not fit the document.
pub(super) fn apply(document: &mut Document, description: &Document) -> Result<(), String> {
    for array in description
        .get_array("truncatedArrays")
        .into_iter()
        .flatten()
    {
        let array = array.as_document().ok_or("an array that is none")?;
        let size = array.get("newSize").and_then(number).ok_or("no newSize")?;
        truncate(document, array.get_str("field").unwrap_or_default(), size)?;
    }
    for path in description.get_array("removedFields").into_iter().flatten() {
        let path = path.as_str().ok_or("a removed field that is no text")?;
        match find(document, path)? {
            Place::Field(parent, name) => drop(parent.remove(name)),
            Place::Element(..) => return Err(format!("{path} cannot be removed from an array")),
        }
    }
    let updated = description.get_document("updatedFields");
    for (path, value) in updated.into_iter().flatten() {
        match find(document, path)? {
            Place::Field(parent, name) => drop(parent.insert(name, value.clone())),
            Place::Element(parent, index) => {
                let length = parent.len().max(index + 1);
                parent.resize(length, Bson::Null);
                parent[index] = value.clone();
            }
        }
    }
    Ok(())
}

fn truncate(document: &mut Document, path: &str, size: usize) -> Result<(), String> {
    let array = match find(document, path)? {
        Place::Field(parent, name) => parent.get_mut(name),
        Place::Element(parent, index) => parent.get_mut(index),
    };
    let Some(Bson::Array(array)) = array else {
        return Err(format!("{path} is no array"));
    };
    array.truncate(size);
    Ok(())
}

fn number(value: &Bson) -> Option<usize> {
    let number = value.as_i64().or(value.as_i32().map(i64::from))?;
    usize::try_from(number).ok()
}

/// The place of a path; a number leads into an array where there is one.
fn find<'a>(document: &'a mut Document, path: &'a str) -> Result<Place<'a>, String> {
    let Some((first, rest)) = path.split_once('.') else {
        return Ok(Place::Field(document, path));
    };
    let value = document.get_mut(first);
    find_in(value.ok_or_else(|| format!("there is no {first}"))?, rest)
}

fn find_in<'a>(value: &'a mut Bson, path: &'a str) -> Result<Place<'a>, String> {
    match value {
        Bson::Document(document) => find(document, path),
        Bson::Array(array) => {
            let (first, rest) = path.split_once('.').unwrap_or((path, ""));
            let index: usize = first.parse().map_err(|_| format!("{path} in an array"))?;
            if rest.is_empty() {
                return Ok(Place::Element(array, index));
            }
            let value = array.get_mut(index);
            find_in(value.ok_or_else(|| format!("there is no {index}"))?, rest)
        }
        _ => Err(format!("{path} leads into {value}")),
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn an_update_is_applied_as_the_server_did() {
        let mut document = doc! { "a": 1, "b": { "c": [1, { "d": 2 }, 3, 4] }, "e": 5 };
        let description = doc! {
            "updatedFields": { "b.c.1.d": 7, "f": 8, "b.c.2": 9 },
            "removedFields": ["a"],
            "truncatedArrays": [{ "field": "b.c", "newSize": 3 }],
        };
        apply(&mut document, &description).unwrap();
        let expected = doc! { "b": { "c": [1, { "d": 7 }, 9] }, "e": 5, "f": 8 };
        assert_eq!(document.to_vec().unwrap(), expected.to_vec().unwrap());
    }

    #[test]
    fn what_does_not_fit_is_said() {
        for path in ["x.y", "a.y", "b.x"] {
            let description = doc! { "updatedFields": { path: 1 } };
            let mut document = doc! { "a": 1, "b": [] };
            assert!(apply(&mut document, &description).is_err(), "{path}");
        }
    }
}
