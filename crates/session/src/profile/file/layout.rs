//! How binary frames are laid out, checked where that stands.

use std::sync::Arc;

use super::mistake::{Source, listed, suggestion};
use super::placed::Placed;
use super::shape::{self, Text};
use crate::codec::{
    Content, Extent, Field, Form, Integer, Layout, LayoutError, Measure, Measured, PACKET, Packet, STAND_IN,
    echoing,
};

/// What text and bytes are called.
const TEXT: &str = "text";
const BYTES: &str = "bytes";
const UUID: &str = "uuid";
/// What `measures` the frame.
const ALL: &str = "all";
const REST: &str = "rest";
/// A number whose length depends on it.
const VARINT: &str = "varint";
/// What ends at a zero.
const ZERO: &str = "zero";
/// Most bits of a number.
const BITS_MAX: u32 = 64;

/// The packets and rules of MQTT 3.1.1, and of MQTT 5.
const MQTT: [(u64, &str); 2] = [
    (4, include_str!("known/mqtt.toml")),
    (5, include_str!("known/mqtt-5.toml")),
];

/// How the frames of a framing are laid out, if they are binary; `None` too if something is wrong with that.
pub(super) fn layout(framing: &shape::Framing, source: &mut Source<'_>) -> Option<Arc<Layout>> {
    let layout = match framing {
        shape::Framing::Binary(binary) => of_binary(binary, source)?,
        shape::Framing::Mqtt(mqtt) => of_binary(&known(mqtt, source)?, source)?,
        _ => return None,
    };
    Some(Arc::new(layout))
}

/// The packets and rules of MQTT as this profile speaks it.
pub(super) fn known(mqtt: &shape::Mqtt, source: &mut Source<'_>) -> Option<shape::Binary> {
    let version = mqtt.version.as_ref().map_or(MQTT[0].0, |version| **version);
    let known = MQTT.iter().find(|(level, _)| *level == version);
    if let (None, Some(given)) = (known, &mqtt.version) {
        let levels = "4 (for MQTT 3.1.1) and 5";
        source.wrong(
            given.span(),
            format!("there is no version {version}, there are {levels}"),
        );
    }
    Some(toml::from_str(known?.1).expect("a test reads this very text"))
}

fn of_binary(shape: &shape::Binary, source: &mut Source<'_>) -> Option<Layout> {
    let head = fields_of(&shape.head, true, source)?;
    let packets = shape.packets.iter();
    let packets: Vec<_> = packets.map(|packet| packet_of(packet, &head, source)).collect();
    let packets = packets.into_iter().collect::<Option<_>>()?;
    let layout = Layout { head, packets };
    if layout.packets.is_empty() {
        source.wrong(
            shape.packets.span(),
            "is empty: there has to be something that could come",
        );
        return None;
    }
    Some(layout)
}

fn packet_of(shape: &Placed<shape::Packet>, head: &[Field], source: &mut Source<'_>) -> Option<Packet> {
    let fields = fields_of(&shape.fields, false, source)?;
    let names = || head.iter().filter_map(|field| field.name.as_deref());
    if let Some(twice) = fields
        .iter()
        .find(|field| names().any(|name| field.name.as_deref() == Some(name)))
    {
        let name = twice.name.as_deref().unwrap_or_default();
        source.wrong(shape.span(), format!("`{name}` is the name of two fields"));
        return None;
    }
    let mut when = Vec::new();
    for (name, number) in &shape.when {
        let field = head.iter().find(|field| field.name.as_ref() == Some(&**name));
        match field.map(|field| &field.form) {
            Some(Form::Number(integer)) if *number <= integer.max() => {
                when.push((String::clone(name), *number));
            }
            Some(Form::Number(integer)) => {
                source.wrong(
                    name.span(),
                    format!("is never {number}, {} at most", integer.max()),
                );
                return None;
            }
            _ => {
                let near = suggestion(name, names());
                source.wrong(name.span(), format!("the head has no number `{}`{near}", **name));
                return None;
            }
        }
    }
    Some(Packet {
        name: String::clone(&shape.name),
        when,
        fields,
    })
}

/// The fields of a head or of a packet; `None` if something is wrong with them.
fn fields_of(shapes: &[Placed<shape::Field>], head: bool, source: &mut Source<'_>) -> Option<Vec<Field>> {
    let mut fields: Vec<Field> = Vec::new();
    // bits of the last byte that are taken
    let mut begun = 0;
    for (at, shape) in shapes.iter().enumerate() {
        let later = &shapes[at + 1..];
        let field = form_of(shape, later, &fields, source).and_then(|form| field_of(shape, form, source))?;
        if let Some(wrong) = misplaced(&field, (head, begun), &fields, later.is_empty()) {
            source.wrong(shape.span(), wrong);
            return None;
        }
        begun = match &field.form {
            Form::Number(Integer::Bits(bits)) | Form::Measure(Integer::Bits(bits), _) => (begun + bits) % 8,
            _ => 0,
        };
        fields.push(field);
    }
    if let (Some(last), true) = (shapes.last(), begun != 0) {
        let what = format!("the last byte has {begun} bits: numbers of bits fill whole bytes together");
        source.wrong(last.span(), what);
        return None;
    }
    Some(fields)
}

fn misplaced(
    field: &Field,
    (head, begun): (bool, u32),
    before: &[Field],
    last: bool,
) -> Option<&'static str> {
    let of_frame =
        |form: &Form| matches!(form, Form::Measure(_, measure) if !matches!(measure.of, Measured::Field(_)));
    let bits = match &field.form {
        Form::Number(integer) | Form::Measure(integer, _) => match integer {
            Integer::Bits(bits) => Some(*bits),
            _ => None,
        },
        _ => None,
    };
    let shares = |form: &Form| {
        matches!(form, Form::Measure(..)) && bits.is_some_and(|bits| !(begun + bits).is_multiple_of(8))
    };
    match &field.form {
        Form::Text(_) | Form::Bytes(_) | Form::Uuid if head => Some("a head has numbers and nothing else"),
        form if !head && of_frame(form) => {
            Some("`all` and `rest` are measured in the head, so that every frame ends alike")
        }
        form if of_frame(form) && before.iter().any(|field| of_frame(&field.form)) => {
            Some("the frame is measured twice")
        }
        form if shares(form) => Some("a number that measures something ends a byte"),
        _ if bits.is_none() && begun != 0 => {
            Some("begins within a byte: numbers of bits fill whole bytes together")
        }
        Form::Text(Extent::Rest) | Form::Bytes(Extent::Rest) if !last => {
            Some("goes on to the end of the frame, so that nothing can follow it; or give its `length`")
        }
        _ if before.iter().any(|field| field.optional) && !field.optional => {
            Some("follows a field that is `optional`, so that it has to be that too")
        }
        _ if field.name.is_some() && before.iter().any(|other| other.name == field.name) => {
            Some("has the name of another field")
        }
        _ => None,
    }
}

fn field_of(shape: &Placed<shape::Field>, form: Form, source: &mut Source<'_>) -> Option<Field> {
    if shape.name.as_ref().is_some_and(|name| **name == PACKET) {
        source.wrong(
            shape.span(),
            format!("`{PACKET}` is what the kind of frame is called by"),
        );
        return None;
    }
    let content = |given: &Option<Placed<shape::Content>>, source: &mut Source<'_>| {
        let Some(given) = given else { return Some(None) };
        let content = match &**given {
            shape::Content::Number(number) => Content::Number(*number),
            shape::Content::Text(text) => Content::Text(text.clone()),
        };
        let wrong = match (&form, &content) {
            (Form::Number(integer), Content::Number(number)) if *number <= integer.max() => None,
            (Form::Number(integer), Content::Number(_)) => {
                Some(format!("is too large, at most {}", integer.max()))
            }
            (Form::Number(_), _) => Some("is no number".to_owned()),
            (Form::Measure(..), _) => Some("what is measured is counted".to_owned()),
            (_, Content::Number(_)) => Some("is no text".to_owned()),
            (Form::Text(_), _) => None,
            (Form::Uuid, _) => Some("a UUID is given".to_owned()),
            (Form::Bytes(_), Content::Text(text)) => {
                let digits = text
                    .bytes()
                    .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
                (!digits || text.len() % 2 != 0)
                    .then(|| "is not in hexadecimal digits (0 to 9, a to f), two a byte".to_owned())
            }
        };
        if let Some(wrong) = wrong {
            source.wrong(given.span(), wrong);
            return None;
        }
        Some(Some(content))
    };
    let (is, default) = (content(&shape.is, source)?, content(&shape.default, source)?);
    let known = is.is_some() || default.is_some() || matches!(form, Form::Measure(..));
    if shape.name.is_none() && !known {
        source.wrong(
            shape.span(),
            "has no `name`, so that nothing can be given for it: it needs an `is` or a `default`",
        );
        return None;
    }
    Some(Field {
        name: shape.name.as_deref().cloned(),
        form,
        is,
        default,
        optional: shape.optional,
    })
}

fn form_of(
    shape: &Placed<shape::Field>,
    later: &[Placed<shape::Field>],
    before: &[Field],
    source: &mut Source<'_>,
) -> Option<Form> {
    let is_text = match shape.kind.as_str() {
        TEXT => true,
        BYTES => false,
        UUID => {
            let more = shape.length.as_ref().map(Placed::span);
            let more = more.or(shape.measures.as_ref().map(Placed::span));
            return match more {
                Some(at) => {
                    source.wrong(at, "a UUID has 16 bytes");
                    None
                }
                None => Some(Form::Uuid),
            };
        }
        name => {
            let Some(integer) = integer(name) else {
                let names = [
                    TEXT, BYTES, UUID, "u8", "u16", "u24", "u32", "u64", "u16le", "u32le", "u64le", VARINT,
                ];
                let near = suggestion(name, names);
                source.wrong(shape.kind.span(), format!("there is no type `{name}`{near}"));
                return None;
            };
            if let Some(length) = &shape.length {
                source.wrong(
                    length.span(),
                    "is for `text` and `bytes`: a number's type says how long it is",
                );
                return None;
            }
            return match &shape.measures {
                Some(measures) => {
                    let of = measured(measures, later, source)?;
                    Some(Form::Measure(integer, Measure { of, plus: shape.plus }))
                }
                None => Some(Form::Number(integer)),
            };
        }
    };
    if let Some(measures) = &shape.measures {
        source.wrong(
            measures.span(),
            "a number measures, and neither text nor bytes do",
        );
        return None;
    }
    let extent = extent(shape, before, source)?;
    Some(match is_text {
        true => Form::Text(extent),
        false => Form::Bytes(extent),
    })
}

fn measured(measures: &Text, later: &[Placed<shape::Field>], source: &mut Source<'_>) -> Option<Measured> {
    Some(match measures.as_str() {
        ALL => Measured::All,
        REST => Measured::Rest,
        name => {
            let open = later
                .iter()
                .filter(|field| field.length.is_none() && matches!(field.kind.as_str(), TEXT | BYTES));
            let names = || {
                open.clone()
                    .filter_map(|field| field.name.as_ref().map(|name| name.as_str()))
            };
            if !names().any(|other| other == name) {
                let near = suggestion(name, names().chain([ALL, REST]));
                let what =
                    format!("no text or bytes without a `length` come later that are called `{name}`{near}");
                source.wrong(measures.span(), what);
                return None;
            }
            Measured::Field(name.to_owned())
        }
    })
}

fn extent(shape: &Placed<shape::Field>, before: &[Field], source: &mut Source<'_>) -> Option<Extent> {
    let Some(length) = &shape.length else {
        let own = |field: &Field| match &field.form {
            Form::Measure(_, measure) => {
                matches!((&measure.of, &shape.name), (Measured::Field(of), Some(name)) if *of == **name)
            }
            _ => false,
        };
        return Some(match before.iter().any(own) {
            true => Extent::Measured,
            false => Extent::Rest,
        });
    };
    let named = match &**length {
        shape::Length::Fixed(bytes) => return Some(Extent::Fixed(*bytes)),
        shape::Length::Named(name) if name == ZERO => return Some(Extent::Zero),
        shape::Length::Named(name) => name,
    };
    let whole = |integer: &Integer| integer.bits().is_none_or(|bits| bits.is_multiple_of(8));
    let integer = integer(named).filter(whole);
    if integer.is_none() {
        let types = listed([
            "u8", "u16", "u24", "u32", "u64", "u16le", "u32le", "u64le", VARINT, ZERO,
        ]);
        let what = format!("`{named}` is no length: there are {types}, and a number of bytes");
        source.wrong(length.span(), what);
    }
    integer.map(Extent::Prefixed)
}

/// The number that a type names.
fn integer(name: &str) -> Option<Integer> {
    if name == VARINT {
        return Some(Integer::Varint);
    }
    let bits = name.strip_prefix('u')?;
    let little = bits.strip_suffix("le");
    let bits: u32 = little
        .unwrap_or(bits)
        .parse()
        .ok()
        .filter(|bits| (1..=BITS_MAX).contains(bits))?;
    match little {
        Some(_) if bits.is_multiple_of(8) => Some(Integer::Little(bits / 8)),
        Some(_) => None,
        None => Some(Integer::Bits(bits)),
    }
}

/// What is sent back has to be a frame.
pub(super) fn answers(rules: &[Placed<shape::Rule>], layout: &Layout, source: &mut Source<'_>) {
    let of = |rule: &Placed<shape::Rule>| {
        let beat = rule.heartbeat.as_ref().and_then(|beat| beat.answer.clone());
        beat.or_else(|| rule.event.as_ref()?.answer.clone())
    };
    for answer in rules.iter().filter_map(of) {
        // what is wrong with its placeholders has been told
        let said = echoing(&answer, STAND_IN).ok();
        if let Some(error) = said.and_then(|said| layout.check(&said).err()) {
            source.wrong(answer.span(), told(&error, layout));
        }
    }
}

/// Why something is no frame, and what would be.
pub(super) fn told(error: &LayoutError, layout: &Layout) -> String {
    let near = match error {
        LayoutError::UnknownPacket { name } => suggestion(name, layout.names()),
        LayoutError::UnknownField { packet, field } => {
            let of = layout.packets.iter().filter(|other| other.name == *packet);
            let fields = layout.head.iter().chain(of.flat_map(|packet| &packet.fields));
            suggestion(field, fields.filter_map(|field| field.name.as_deref()))
        }
        LayoutError::NoObject => "; a placeholder brings its own quotes, `${id:bare}` does not".to_owned(),
        LayoutError::NoPacket => format!(": there are {}", listed(layout.names())),
        _ => String::new(),
    };
    format!("is no frame: {error}{near}")
}
