//! Planted defects, to prove that the tests bite: `scripts/mutants` chooses one at a time.
//!
//! Without `--cfg globe_mutants` every one of them is `false` and compiles to nothing.

/// Whether the defect of this name is chosen.
macro_rules! mutant {
    ($name:literal) => {
        cfg!(globe_mutants)
            && std::env::var_os("GLOBE_MUTANT").is_some_and(|chosen| chosen == $name)
    };
}
