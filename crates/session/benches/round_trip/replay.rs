//! What the parts of recording and judging cost by themselves, on the history that a run has left.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use history::{Audience, Event, Fact, Place, SegmentReader, SegmentWriter, Source, User};
use isolation::Judge;
use isolation::canary::{Datum, Mint};
use perf::Meter;
use serde::{Deserialize, Serialize};
use session::codec::{Slot, Values};
use session::profile::Action;
use session::{HISTORY_LIMIT_BYTES, LEADER};

use crate::cpu;
use crate::harness::{CPU, RUN};
use crate::target::Frame;

pub(crate) const ROLE: &str = "replay";
/// Messages that are minted and encoded.
const MINTED: u32 = 500_000;

/// What it is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Where the run's history is.
    pub(crate) folder: PathBuf,
    pub(crate) frame: Frame,
}

/// CPU nanoseconds: of the encoder for a message, of the others for the whole history.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) encode: f64,
    pub(crate) decode: f64,
    pub(crate) append: f64,
    pub(crate) judge: f64,
    pub(crate) meter: f64,
}

pub(crate) fn run(order: &Order) -> Result<Done> {
    cpu::stay_on(CPU)?;
    let events = order
        .folder
        .join("history")
        .join(format!("worker-{}.events", LEADER + 1));
    let pass = |see: &mut dyn FnMut(Place, &Event<'_>) -> Result<()>| -> Result<f64> {
        let file = File::open(&events).with_context(|| format!("cannot open {}", events.display()))?;
        let mut reader = SegmentReader::open(BufReader::new(file))?;
        let begin = cpu::used();
        while let Some((place, event)) = reader.next()? {
            see(place, &event)?;
        }
        Ok((cpu::used() - begin).as_nanos() as f64)
    };
    // so that the file is in memory
    pass(&mut |_, _| Ok(()))?;
    let reading = pass(&mut |_, _| Ok(()))?;
    let (mut judge, mut meter) = (Judge::new(RUN), Meter::new());
    let copy = BufWriter::new(File::create(order.folder.join("copy.events"))?);
    let mut writer = SegmentWriter::new(copy, RUN, 1, HISTORY_LIMIT_BYTES);
    let framing = order.frame.profile()?.dialects[0].framing.clone();
    let (mut codec, mut back) = (framing.codec(), Vec::new());
    Ok(Done {
        encode: encode(order.frame)?,
        decode: pass(&mut |_, event| {
            if let Fact::Inbound(inbound) = &event.fact
                && inbound.source == Source::Text
            {
                std::hint::black_box(codec.decode(&inbound.bytes, &mut back));
            }
            Ok(())
        })? - reading,
        append: pass(&mut |_, event| {
            writer.append(event)?;
            Ok(())
        })? - reading,
        judge: pass(&mut |place, event| {
            judge.observe(place, event);
            Ok(())
        })? - reading,
        meter: pass(&mut |_, event| {
            meter.observe(event);
            Ok(())
        })? - reading,
    })
}

fn encode(frame: Frame) -> Result<f64> {
    let profile = frame.profile()?;
    let dialect = &profile.dialects[0];
    let Some(shape) = dialect.ops.get(&Action::Post) else {
        bail!("an echo can be posted to");
    };
    let codec = dialect.framing.codec();
    let mut mint = Mint::new(User(7), RUN)?;
    let begin = cpu::used();
    for number in 0..MINTED {
        let nonce = mint.spell(Audience::Owner, Datum::Nonce)?;
        let values = Values::new()
            .with(Slot::Body, nonce.long())
            .with(Slot::Nonce, nonce.short())
            .with(Slot::Id, number.to_string());
        std::hint::black_box(codec.encode(&shape.frame, &values)?);
    }
    Ok((cpu::used() - begin).as_nanos() as f64 / f64::from(MINTED))
}
