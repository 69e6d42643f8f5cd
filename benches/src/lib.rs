//! Shared measuring code of the benchmarks.
