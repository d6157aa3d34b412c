//! What scanning costs: the needles against one needle of the same library family, whole scans, streams, ids.
//!
//! Before criterion's figures it prints how many times as long as one `memmem` over the same bytes each pass
//! takes, all measured in turns within one run, so that a busy machine slows both alike.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use history::{Audience, User};
use isolation::canary::{Datum, MARKER, Mint};
use isolation::scan::{Medium, Scanner, StreamScanner, holds_needle, ids};

const RUN: u32 = 4711;
/// With what the needle search may take, in times of one needle's.
const SIZES: [(&str, usize, &str); 3] = [
    ("200 B", 200, ""),
    ("4 KiB", 4 << 10, "at most 3 x"),
    ("1 MiB", 1 << 20, "at most 2 x"),
];
/// Turns that are measured for a ratio; the fastest counts.
const TURNS: u32 = 200;

/// What a thread's messages look like, `len` bytes of it.
fn clean(len: usize) -> Vec<u8> {
    const BODIES: [&str; 5] = [
        "Could you look at the figures again? The second table does not add up, and the last column is off by one.",
        "I have asked Maria to check the query; she will answer before 10:30 on Thursday.\\nThanks, and see you then",
        "That was quick. The next version goes out tomorrow, unless somebody finds a reason to wait for the others",
        "No, it is the other way round: first the index, then the job that fills it. We had the same thing in May",
        "The room is booked, the projector works, and there is coffee; bring the list of the sizes that we discussed",
    ];
    let mut text = String::from("[");
    let mut seq = 0_u64;
    while text.len() < len {
        seq += 1;
        let id = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        text += &format!(
            r#"{{"thread_id":"{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}","seq":{seq},"role":"user","body":"{}"}},"#,
            id as u32,
            id >> 48,
            id >> 52,
            id >> 50 & 0xfff,
            id >> 16,
            BODIES[(seq % 5) as usize],
        );
    }
    text.truncate(len);
    text.into_bytes()
}

/// The same with a secret in the middle of it.
fn leaking(len: usize) -> Vec<u8> {
    let secret = Mint::new(User(7), RUN).and_then(|mut mint| mint.mint(Audience::Owner, Datum::Secret));
    let mut bytes = clean(len);
    let secret = secret.expect("numbers fit").long().into_bytes();
    let at = (len - secret.len()) / 2;
    bytes.splice(at..at + secret.len(), secret);
    bytes
}

fn scan(c: &mut Criterion) {
    let mut scanner = Scanner::new(RUN);
    let memmem = memchr::memmem::Finder::new(MARKER);
    for (name, len, _) in SIZES {
        let (clean, leaking) = (clean(len), leaking(len));
        let mut group = c.benchmark_group("canary scan");
        group.throughput(Throughput::Bytes(len as u64));
        let mut bench = |what: &str, pass: &mut dyn FnMut()| {
            group.bench_function(BenchmarkId::new(what, name), |b| b.iter(&mut *pass));
        };
        bench("memmem", &mut || _ = black_box(memmem.find(black_box(&clean))));
        bench("needles", &mut || _ = black_box(holds_needle(black_box(&clean))));
        bench("clean", &mut || {
            _ = black_box(scanner.scan(black_box(&clean), Medium::Text))
        });
        bench("leak", &mut || {
            _ = black_box(scanner.scan(black_box(&leaking), Medium::Text))
        });
        bench("ids", &mut || {
            ids::find(black_box(&clean), |id| _ = black_box(id))
        });
        group.finish();
    }
}

fn streams(c: &mut Criterion) {
    let mut scanner = Scanner::new(RUN);
    let clean = clean(4 << 10);
    let mut group = c.benchmark_group("canary stream");
    group.throughput(Throughput::Bytes(clean.len() as u64));
    group.bench_function("24-byte deltas", |b| {
        b.iter(|| {
            let mut stream = StreamScanner::new(Medium::Text);
            for piece in clean.chunks(24) {
                black_box(stream.feed(&mut scanner, piece));
            }
            black_box(stream.finish(&mut scanner));
        });
    });
    group.finish();
}

/// The shortest of many turns of each pass, in the order given.
fn fastest<const N: usize>(mut passes: [&mut dyn FnMut(); N]) -> [Duration; N] {
    let mut best = [Duration::MAX; N];
    for _ in 0..TURNS {
        for (pass, best) in passes.iter_mut().zip(&mut best) {
            let begin = Instant::now();
            for _ in 0..16 {
                pass();
            }
            *best = begin.elapsed().min(*best);
        }
    }
    best
}

#[expect(clippy::print_stdout, reason = "this is what the bench is run for")]
fn ratios(_: &mut Criterion) {
    let mut scanner = Scanner::new(RUN);
    let memmem = memchr::memmem::Finder::new(MARKER);
    for (name, len, target) in SIZES {
        let bytes = clean(len);
        let [one, needles, whole, ids] = fastest([
            &mut || _ = black_box(memmem.find(black_box(&bytes))),
            &mut || _ = black_box(holds_needle(black_box(&bytes))),
            &mut || _ = black_box(scanner.scan(black_box(&bytes), Medium::Text)),
            &mut || ids::find(black_box(&bytes), |id| _ = black_box(id)),
        ]);
        let say = |what: &str, pass: Duration, target: &str| {
            let ratio = pass.as_secs_f64() / one.as_secs_f64();
            println!("figure: needle search, clean JSON of {name} | {what} | {ratio:.2} x | {target}");
        };
        say("needles / memmem of one needle", needles, target);
        say("  with all that may be decoded", whole, "");
        say("  ids and tokens", ids, "");
    }
}

criterion_group!(benches, ratios, scan, streams);
criterion_main!(benches);
