//! Which rules the names that lead to a value have met, and what becomes of the value.

use std::ops::Range;

use super::{Action, Mask, Rule, path::is_number};
use crate::event::Namespace;

/// Follows the rules' paths from names to names inside them.
///
/// A name with dots in it counts as the path that it spells, and a number as an array's index may be, which a path passes
/// through: an update description tells neither apart.
#[derive(Debug)]
pub(super) struct Matcher<'r> {
    rules: &'r [Rule],
    /// Of the places from the document to the present one, each a range.
    states: Vec<State>,
    roots: usize,
    includes: bool,
}

/// A rule, and how many names of its path are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    rule: usize,
    met: usize,
}

/// What is known of a value from the names that lead to it.
#[derive(Debug, Clone)]
pub(super) struct Place<'r> {
    /// Those of the rules whose paths may go on.
    states: Range<usize>,
    is_document: bool,
    /// Whether it may stay at all.
    pub(super) is_included: bool,
    /// What stands for each value in it.
    pub(super) mask: Option<&'r Mask>,
}

/// What becomes of a value.
#[derive(Debug)]
pub(super) enum Fate<'r> {
    /// It is left out with its name.
    Gone,
    /// A null takes its place: it may be an array's element, and the others keep their indexes.
    Null,
    /// It stays as it is.
    Whole,
    /// That depends on what is inside of it.
    Inside(Place<'r>),
}

impl<'r> Matcher<'r> {
    /// For documents of `namespace`.
    pub(super) fn new(rules: &'r [Rule], namespace: Namespace<'_>) -> Self {
        let all = rules.iter().enumerate();
        let states = all.filter(|(_, one)| one.path.is_in(namespace));
        let states: Vec<State> = states.map(|(rule, _)| State { rule, met: 0 }).collect();
        Self {
            roots: states.len(),
            includes: rules
                .iter()
                .any(|rule| matches!(rule.action, Action::Include)),
            rules,
            states,
        }
    }

    /// Whether everything stays as it is.
    pub(super) fn is_idle(&self) -> bool {
        self.roots == 0 && !self.includes
    }

    /// The document itself.
    pub(super) fn root(&self) -> Place<'r> {
        Place {
            states: 0..self.roots,
            is_document: true,
            is_included: !self.includes,
            mask: None,
        }
    }

    /// What becomes of the value called `name` in `place`. After it and what is inside of it, [`Matcher::leave`] is due.
    pub(super) fn enter(&mut self, place: &Place<'r>, name: &[u8], is_in_array: bool) -> Fate<'r> {
        let mut place = place.clone();
        let mut names = name.split(|byte| *byte == b'.').peekable();
        while let Some(name) = names.next() {
            let is_index = !place.is_document && (is_in_array || is_number(name));
            let is_excluded = self.step(&mut place, name, is_index);
            if is_excluded && is_index && names.peek().is_none() {
                return Fate::Null;
            }
            if is_excluded || !place.is_included && !self.may_include(&place) {
                return Fate::Gone;
            }
        }
        if place.is_included && place.mask.is_none() && place.states.is_empty() {
            return Fate::Whole;
        }
        Fate::Inside(place)
    }

    /// Where the states of the next value will be, for [`Matcher::leave`].
    pub(super) fn mark(&self) -> usize {
        self.states.len()
    }

    /// Forgets what came after `mark`.
    pub(super) fn leave(&mut self, mark: usize) {
        self.states.truncate(mark);
    }

    /// Goes on by one name; whether that ends the path of a rule that excludes. Of masks, the one whose path ends last
    /// counts, and of those that end here, the first.
    fn step(&mut self, place: &mut Place<'r>, name: &[u8], is_index: bool) -> bool {
        let (rules, begin) = (self.rules, self.states.len());
        let (mut is_excluded, mut mask) = (false, None);
        for index in place.states.clone() {
            let state = self.states[index];
            let Rule { path, action } = &rules[state.rule];
            let met = state.met + 1;
            if is_index {
                self.push(begin, state);
            }
            if !path.accepts(state.met, name) {
                continue;
            }
            if met < path.len() {
                self.push(begin, State { met, ..state });
                continue;
            }
            match action {
                Action::Exclude => is_excluded = true,
                Action::Include => place.is_included = true,
                Action::Mask(one) => mask = mask.or(Some(one)),
            }
        }
        *place = Place {
            states: begin..self.states.len(),
            is_document: false,
            is_included: place.is_included,
            mask: mask.or(place.mask),
        };
        is_excluded
    }

    fn push(&mut self, begin: usize, state: State) {
        if !self.states[begin..].contains(&state) {
            self.states.push(state);
        }
    }

    fn may_include(&self, place: &Place<'_>) -> bool {
        let mut states = self.states[place.states.clone()].iter();
        states.any(|state| matches!(self.rules[state.rule].action, Action::Include))
    }
}
