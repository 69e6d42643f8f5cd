//! Valid configurations, and the messages for invalid ones.

#![allow(
    clippy::needless_range_loop,
    reason = "loops over steps, samples and classes, as the equations have them"
)]

mod common;

use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use tks_loss::{
    Assembly, CeConfig, LossConfig, LossError, NoCorrect, Progress, Schedule, Selection, TeacherGradient,
    TetConfig, TksConfig,
};

#[derive(Debug, Deserialize)]
struct Training {
    loss: LossConfig,
}

fn parse(text: &str) -> Result<LossConfig> {
    Ok(tks_data::toml_file::parse::<Training>(text, Path::new("train.toml"))?.loss)
}

fn refusal(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

#[test]
fn a_name_alone_takes_the_defaults() -> Result<()> {
    let names: Vec<String> = LossConfig::all().iter().map(LossConfig::name).collect();
    assert_eq!(names, ["tks", "ce", "tet", "mse_rate"]);
    for name in names {
        let config = parse(&format!("loss = \"{name}\""))?;
        assert_eq!(config.name(), name);
        assert_eq!(parse(&format!("[loss.{name}]"))?, config);
        assert_eq!(toml::from_str::<Training>(&format!("loss = \"{name}\""))?.loss, config);
        assert_eq!(name.parse::<LossConfig>()?, config);
        config.check()?;
    }
    assert_eq!(parse("loss = \"tks\"")?, LossConfig::default());
    Ok(())
}

#[test]
fn a_table_sets_what_it_names() -> Result<()> {
    let config = parse(
        "[loss.tks]\ntau = 2\nalpha = 0.5\nschedule = \"cosine\"\nselection = { top_k = 2 }\n\
         assembly = \"last_correct\"\nno_correct = \"skip\"\ngradient = \"detached\"\nlabel_smoothing = 0.1\n",
    )?;
    let expected = LossConfig::Tks(TksConfig {
        tau: 2.0,
        alpha: 0.5,
        schedule: Schedule::Cosine,
        selection: Selection::TopK(2),
        assembly: Assembly::LastCorrect,
        no_correct: NoCorrect::Skip,
        gradient: TeacherGradient::Detached,
        label_smoothing: 0.1,
    });
    assert_eq!(config, expected);
    assert_eq!(
        parse("loss = { tet = { lambda = 0.05 } }")?,
        LossConfig::Tet(TetConfig { lambda: 0.05, ..TetConfig::default() })
    );
    Ok(())
}

#[test]
fn what_is_written_is_read_again() -> Result<()> {
    #[derive(serde::Serialize)]
    struct Written {
        loss: LossConfig,
    }
    for config in common::variations().into_iter().map(LossConfig::Tks).chain(LossConfig::all()) {
        assert_eq!(parse(&toml::to_string(&Written { loss: config.clone() })?)?, config);
    }
    Ok(())
}

#[test]
fn a_misspelt_name_is_told_the_nearest() {
    let unknown = refusal("loss = \"tsk\"");
    assert!(unknown.starts_with("train.toml:1:8: `loss` is \"tsk\""), "{unknown}");
    assert!(unknown.ends_with("did you mean `tks`?"), "{unknown}");
    let unknown = refusal("[loss.tks]\ntau = 2.0\nasembly = \"sum\"\n");
    assert!(unknown.starts_with("train.toml:3:1: unknown key `loss.tks.asembly`"), "{unknown}");
    assert!(unknown.ends_with("did you mean `assembly`?"), "{unknown}");
    let unknown = refusal("[loss.tks]\nselection = \"corect\"\n");
    assert!(unknown.ends_with("did you mean `correct`?"), "{unknown}");
    let unknown = refusal("[loss.mse_rate]\ntau = 1.0\n");
    assert!(unknown.contains("unknown key `loss.mse_rate.tau`"), "{unknown}");
    let two = refusal("[loss.tks]\n[loss.ce]\n");
    // In the order of the file or in alphabetical order, depending on how the TOML crate was built.
    let either = ["both `tks` and `ce` are given", "both `ce` and `tks` are given"];
    assert!(either.iter().any(|told| two.contains(told)) && two.contains("there is one loss"), "{two}");
    let none = refusal("[loss]\n");
    assert!(none.contains("a loss's name or a table of that name"), "{none}");
    let unknown = refusal("[loss.tks2]\n");
    assert!(unknown.ends_with("did you mean `tks`?"), "{unknown}");
    let number = refusal("loss = 3");
    assert!(number.contains("a loss's name or a table of that name (tks, ce, tet, mse_rate)"), "{number}");
}

#[test]
fn a_setting_out_of_range_is_named() {
    let tks = |change: fn(&mut TksConfig)| {
        let mut config = TksConfig::default();
        change(&mut config);
        LossConfig::Tks(config)
    };
    let tet = TetConfig::default();
    let cases = [
        (tks(|c| c.tau = 0.0), "loss.tks.tau = 0"),
        (tks(|c| c.tau = f64::NAN), "loss.tks.tau = NaN"),
        (tks(|c| c.tau = f64::INFINITY), "loss.tks.tau = inf"),
        (tks(|c| c.alpha = 1.5), "loss.tks.alpha = 1.5"),
        (tks(|c| c.alpha = f64::NAN), "loss.tks.alpha = NaN"),
        (tks(|c| c.selection = Selection::TopK(0)), "loss.tks.selection.top_k = 0"),
        (tks(|c| c.label_smoothing = 1.0), "loss.tks.label_smoothing = 1"),
        (LossConfig::Ce(CeConfig { label_smoothing: -0.1 }), "loss.ce.label_smoothing = -0.1"),
        (LossConfig::Tet(TetConfig { lambda: 2.0, ..tet }), "loss.tet.lambda = 2"),
        (LossConfig::Tet(TetConfig { phi: f64::NAN, ..tet }), "loss.tet.phi = NaN"),
        (LossConfig::Tet(TetConfig { label_smoothing: 7.0, ..tet }), "loss.tet.label_smoothing = 7"),
    ];
    for (config, start) in cases {
        let error = config.check().expect_err(start);
        assert!(matches!(error, LossError::Config { .. }) && error.to_string().starts_with(start), "{error}");
        let problem = common::Problem::random(1, 2, 3, 4);
        let refused = problem.compute(&config, Progress { epoch: 0, epochs: 1 });
        assert!(refused.is_err(), "{config:?} computes");
    }
}

#[test]
fn the_weight_of_the_labels_goes_as_the_schedule_says() -> Result<()> {
    let weights = |schedule| -> Result<Vec<f64>> {
        let config = TksConfig { alpha: 0.8, schedule, ..TksConfig::default() };
        (0..=4).map(|epoch| Ok(config.label_weight(Progress { epoch, epochs: 4 })?)).collect()
    };
    let close = |actual: Vec<f64>, expected: [f64; 5]| {
        for (a, e) in actual.iter().zip(expected) {
            assert!((a - e).abs() < 1e-12, "{actual:?}, not {expected:?}");
        }
    };
    close(weights(Schedule::Linear)?, [1.0, 0.8, 0.6, 0.4, 0.2]);
    close(weights(Schedule::Static)?, [0.8; 5]);
    let half = std::f64::consts::FRAC_1_SQRT_2;
    close(weights(Schedule::Cosine)?, [1.0, 0.6 + 0.4 * half, 0.6, 0.6 - 0.4 * half, 0.2]);
    for progress in [Progress { epoch: 0, epochs: 0 }, Progress { epoch: 5, epochs: 4 }] {
        let error = TksConfig::default().label_weight(progress).expect_err("no such epoch");
        assert!(matches!(error, LossError::Progress { .. }), "{error}");
    }
    Ok(())
}
