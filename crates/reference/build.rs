//! Builds again when a migration is added: the migrations are embedded, and the compiler does not see new files.
#![allow(clippy::print_stdout, reason = "the build script speaks to cargo on stdout")]

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
