//! Placeholders, pointers and what stands where: checked where they are.

use std::ops::Range;

use crate::codec::{STAND_IN, STAND_IN_ID, Slot, Template, TemplateError, Values, is_frame, is_packet};

use super::framing::Grammar;
use super::layout::told;
use super::mistake::{Source, listed, suggestion};
use super::shape::{Holds, Text};

/// What may be put in somewhere, and how the place is called.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// What there is to put in.
    pub(super) has: &'a [Slot],
    /// What has to be put in, or this would not be what it is called.
    pub(super) needs: &'a [Slot],
}

impl Source<'_> {
    /// A template, all of whose slots the place has.
    pub(super) fn template(&mut self, text: &Text, place: Place<'_>) -> Option<Template> {
        let names = || place.has.iter().map(|slot| slot.name());
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(TemplateError::UnknownSlot { name, .. }) => {
                let near = suggestion(&name, names());
                self.wrong(text.span(), format!("unknown placeholder `${{{name}}}`{near}"));
                return None;
            }
            Err(TemplateError::Unclosed { .. }) => {
                self.wrong(text.span(), "a placeholder `${` without its closing brace");
                return None;
            }
            Err(TemplateError::UnknownForm {
                slot, form, forms, ..
            }) => {
                let forms: Vec<_> = forms.iter().map(|form| format!("${{{slot}:{form}}}")).collect();
                let there = listed(forms.iter().map(String::as_str));
                let what = format!("unknown form `{form}` of `${{{slot}}}`, there are {there}");
                self.wrong(text.span(), what);
                return None;
            }
            Err(TemplateError::NoVariable { name }) => {
                self.wrong(text.span(), format!("the environment variable {name} is not set"));
                return None;
            }
        };
        if let Some(slot) = template.slots().find(|slot| !place.has.contains(slot)) {
            let what = format!(
                "there is no `${{{}}}` here, there are {}",
                slot.name(),
                listed(names())
            );
            self.wrong(text.span(), what);
            return None;
        }
        if let Some(slot) = place.needs.iter().find(|slot| !template.takes(**slot)) {
            self.wrong(
                text.span(),
                format!("lacks the placeholder `${{{}}}`", slot.name()),
            );
            return None;
        }
        Some(template)
    }

    /// A template that becomes JSON.
    pub(super) fn json(&mut self, text: &Text, place: Place<'_>) -> Option<Template> {
        self.frame(text, place, Grammar::Json)
    }

    /// A template that becomes a frame of this grammar.
    pub(super) fn frame(&mut self, text: &Text, place: Place<'_>, grammar: Grammar<'_>) -> Option<Template> {
        let template = self.template(text, place)?;
        let stand_in = |slot| match (grammar, slot) {
            (Grammar::Binary(_), Slot::Id | Slot::Request) => STAND_IN_ID,
            (Grammar::Binary(_), _) => STAND_IN,
            _ => "1",
        };
        let filled = template
            .slots()
            .fold(Values::new(), |values, slot| values.with(slot, stand_in(slot)));
        let json = template.json(&filled).unwrap_or_default();
        let hint = "a placeholder brings its own quotes, `${id:bare}` does not";
        let wrong = match grammar {
            Grammar::Json => serde_json::from_str::<serde::de::IgnoredAny>(&json)
                .err()
                .map(|error| format!("is no JSON with its values put in: {error}; {hint}")),
            Grammar::Packet => (!is_packet(&json)).then(|| {
                let digits = "the digits `4` and the packet's type, a namespace and a comma, an id, JSON";
                format!("is no packet of Socket.IO with its values put in: {digits}; {hint}")
            }),
            Grammar::Stomp => {
                let frame = template.written(&filled, String::push_str).unwrap_or_default();
                let what =
                    "is no STOMP frame: a command, a header `name:value` a line, an empty line, the body";
                (!is_frame(&frame)).then(|| what.to_owned())
            }
            Grammar::Binary(layout) => layout.check(&json).err().map(|error| told(&error, layout)),
            Grammar::Text => None,
        };
        match wrong {
            Some(wrong) => {
                self.wrong(text.span(), wrong);
                None
            }
            None => Some(template),
        }
    }

    /// A JSON pointer.
    pub(super) fn pointer(&mut self, text: &Text) -> String {
        if !text.is_empty() && !text.starts_with('/') {
            let what = format!(
                "`{}` is no JSON pointer: it begins with `/`, or is empty for all of it",
                **text
            );
            self.wrong(text.span(), what);
        }
        String::clone(text)
    }

    /// What stands where in the answer of what stands `at`: some of what it `gives`, the first `needed` of it for certain.
    pub(super) fn holds(
        &mut self,
        holds: &Holds,
        gives: (&[Slot], usize),
        at: Range<usize>,
    ) -> Vec<(Slot, String)> {
        self.sought(holds, gives, at, |source, pointer| Some(source.pointer(pointer)))
    }

    /// As [`Self::holds`], where each stands read by `place`.
    pub(super) fn sought<T>(
        &mut self,
        holds: &Holds,
        (gives, needed): (&[Slot], usize),
        at: Range<usize>,
        place: impl Fn(&mut Self, &Text) -> Option<T>,
    ) -> Vec<(Slot, T)> {
        let names = || gives.iter().map(|slot| slot.name());
        let mut there = Vec::new();
        for (name, place_of) in holds {
            let placed = place(self, place_of);
            match Slot::named(name).filter(|slot| gives.contains(slot)) {
                Some(slot) => there.extend(placed.map(|placed| (slot, placed))),
                None if gives.is_empty() => self.wrong(name.span(), "nothing is looked for in this answer"),
                None => {
                    let what = format!("`{}` is not looked for here{}", **name, suggestion(name, names()));
                    self.wrong(name.span(), what);
                }
            }
        }
        for slot in &gives[..needed] {
            if !holds.keys().any(|key| **key == slot.name()) {
                let what = format!("its `answer` has to say where `{}` stands", slot.name());
                self.wrong(at.clone(), what);
            }
        }
        there
    }
}
