//! Recompiles when an SQL file is added: the compiler only knows the ones it embedded.

fn main() {
    println!("cargo::rerun-if-changed=engine");
    println!("cargo::rerun-if-changed=demo");
}
