//! The page and its charts, parsed again.

mod common;

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use common::Parsed;
use proptest::prelude::*;
use tks_report::{
    Confusion, Energy, Environment, EpochRecord, KeyFigure, LayerActivity, LayerInput, LayerOperations,
    Report, ReportError, SampleActivity, SpikeRaster, StepAccuracy, Trace,
};

/// Text that must never become markup.
const HOSTILE: &str = "<script>alert(\"1\")</script> & 'two' </svg> ]]> \u{1} <img src=x onerror=y>";

/// The same text as it must appear, without the control character, which is not allowed in a page.
const HOSTILE_TEXT: &str = "<script>alert(\"1\")</script> & 'two' </svg> ]]>  <img src=x onerror=y>";

/// A report with all parts, whose numbers are taken from `numbers` in turn and whose texts are all `text`.
fn report(numbers: &[f64], text: &str) -> Report {
    let mut drawn = numbers.iter().copied().cycle();
    let mut next = || drawn.next().unwrap_or(0.5);
    let text = || text.to_string();
    let mut confusion = Confusion::new(vec![text(), text(), text()]);
    confusion.counts = vec![vec![3, 1, 0], vec![0, 4, 2], vec![0, 0, 0]];
    Report {
        title: text(),
        summary: text(),
        warnings: vec!["Every layer is silent & none learns".into()],
        key_figures: vec![KeyFigure { name: text(), value: text(), note: text() }],
        epochs: (0..4)
            .map(|epoch| EpochRecord {
                epoch,
                learning_rate: Some(next()),
                train_loss: Some(next()),
                train_cross_entropy: Some(next()),
                loss_parts: [("ce".to_string(), next()), ("soft".to_string(), next())].into(),
                train_accuracy: Some(next()),
                test_loss: (epoch > 1).then(&mut next),
                test_accuracy: Some(next()),
                right_steps: Some(next()),
                none_right: Some(next()),
                label_weight: Some(next()),
                teacher_entropy: Some(next()),
                right_per_step: vec![next(), next()],
                seconds: Some(next()),
                samples_per_second: Some(next()),
                ..EpochRecord::default()
            })
            .collect(),
        step_accuracy: vec![
            StepAccuracy {
                name: text(),
                time_steps: vec![1, 2, 4],
                runs: vec![vec![next(), next(), next()]; 3],
            },
            StepAccuracy { name: text(), time_steps: vec![2], runs: vec![vec![next()]] },
        ],
        confusion: Some(confusion),
        activity: vec![
            LayerActivity { layer: text(), neurons: 10, firing_rate: vec![next(), next()] },
            LayerActivity { layer: text(), neurons: 10, firing_rate: vec![next()] },
        ],
        sample: Some(SampleActivity {
            description: text(),
            rasters: vec![SpikeRaster {
                layer: text(),
                neurons: 3,
                time_steps: 2,
                spikes: vec![(0, 0), (1, 2)],
            }],
            traces: vec![Trace {
                name: text(),
                membrane: vec![next(), next(), next()],
                before_reset: vec![next(), next(), next()],
                spikes: vec![false, true, false],
                v_threshold: next(),
            }],
        }),
        energy: Some(Energy {
            time_steps: 4,
            layers: vec![
                LayerOperations { layer: text(), macs: 100, input: LayerInput::Analog { evaluations: 1 } },
                LayerOperations { layer: text(), macs: 50, input: LayerInput::Frames { density: next() } },
                LayerOperations { layer: text(), macs: 200, input: LayerInput::Spikes { rate: next() } },
            ],
        }),
        configuration: text(),
        environment: Environment {
            command: Some(text()),
            seconds: Some(next()),
            other: [(text(), text())].into(),
            ..Environment::default()
        },
    }
}

#[test]
fn a_page_is_well_formed_and_stands_alone() -> Result<()> {
    let page = report(&[0.1, 0.9, 0.35, 0.6], "plain").page()?;
    let parsed = Parsed::of(&page.html)?;
    ensure!(parsed.stands_alone());
    ensure!(page.html.starts_with("<!DOCTYPE html>"));
    let ids = parsed.values("id");
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "{ids:?}");
    for target in parsed.values("href") {
        ensure!(unique.contains(target.trim_start_matches('#')), "{target} leads nowhere");
    }
    for section in [
        "course",
        "time-steps",
        "confusion",
        "teacher",
        "activity",
        "sample",
        "energy",
        "configuration",
        "environment",
    ] {
        ensure!(unique.contains(section), "there is no section {section}");
    }
    let names: BTreeSet<&str> = page.figures.iter().map(|figure| figure.name).collect();
    assert_eq!(names.len(), page.figures.len(), "{names:?}");
    for figure in &page.figures {
        let svg = Parsed::of(&figure.svg).with_context(|| figure.name)?;
        ensure!(svg.stands_alone() && svg.elements[0] == "svg", "{}", figure.name);
        ensure!(page.html.contains(&figure.svg), "{} is not on the page", figure.name);
    }
    Ok(())
}

#[test]
fn what_users_wrote_stays_text() -> Result<()> {
    let page = report(&[0.5, 0.25], HOSTILE).page()?;
    let parsed = Parsed::of(&page.html)?;
    ensure!(parsed.stands_alone());
    let count = parsed.text.matches(HOSTILE_TEXT).count();
    // Title twice, summary, key figure three times, and so on: in tables and captions, not only once.
    ensure!(count >= 20, "{count} times as text");
    for figure in &page.figures {
        ensure!(Parsed::of(&figure.svg)?.stands_alone(), "{}", figure.name);
    }
    Ok(())
}

#[test]
fn a_report_of_nothing_is_a_page_without_sections() -> Result<()> {
    let page = Report::default().page()?;
    let parsed = Parsed::of(&page.html)?;
    ensure!(page.figures.is_empty() && !parsed.elements.iter().any(|element| element == "section"));
    ensure!(parsed.text.contains("Training report"));
    Ok(())
}

#[test]
fn figures_are_files_beside_the_page() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path().join("report");
    let page = report(&[0.5, 0.75], "first").page()?;
    let path = page.write(&folder)?;
    assert_eq!(path, folder.join("index.html"));
    let second = report(&[0.5, 0.75], "second").page()?;
    second.write(&folder)?;
    assert_eq!(std::fs::read_to_string(&path)?, second.html);
    for figure in &second.figures {
        assert_eq!(std::fs::read_to_string(folder.join(format!("{}.svg", figure.name)))?, figure.svg);
    }
    let files = std::fs::read_dir(&folder)?.count();
    assert_eq!(files, second.figures.len() + 1, "something unfinished is left");
    std::fs::write(folder.join("file"), "")?;
    let refused = page.write(&folder.join("file")).expect_err("a folder that is a file");
    ensure!(matches!(refused, ReportError::Write(_)) && refused.to_string().contains("file"), "{refused}");
    Ok(())
}

#[test]
fn numbers_that_do_not_fit_are_named() -> Result<()> {
    let good = report(&[0.5], "x");
    let mut cases: Vec<(Report, &str)> = Vec::new();
    let mut bad = good.clone();
    bad.confusion.as_mut().context("there is one")?.counts.pop();
    cases.push((bad, "confusion: 2 rows of up to 3 counts for 3 classes"));
    let mut bad = good.clone();
    bad.confusion.as_mut().context("there is one")?.counts[1].push(0);
    cases.push((bad, "confusion: 3 rows of up to 4 counts for 3 classes"));
    let mut bad = good.clone();
    bad.sample.as_mut().context("there is one")?.rasters[0].spikes.push((2, 1));
    cases.push((
        bad,
        "sample.rasters: layer x: a spike of neuron 1 at step 2, but there are 3 neurons and 2 steps",
    ));
    let mut bad = good.clone();
    bad.sample.as_mut().context("there is one")?.traces[0].spikes.pop();
    cases.push((bad, "sample.traces: x: 3 potentials, 3 potentials before the reset and 2 spikes"));
    let mut bad = good.clone();
    bad.sample.as_mut().context("there is one")?.traces[0].before_reset.pop();
    cases.push((bad, "sample.traces: x: 3 potentials, 2 potentials before the reset and 3 spikes"));
    for (bad, words) in cases {
        let error = bad.page().expect_err(words).to_string();
        ensure!(error.starts_with(words), "{error}");
    }
    let mut confusion = Confusion::new(vec!["a".into(), "b".into()]);
    let error = confusion.add(1, 2).expect_err("no such class").to_string();
    ensure!(error == "confusion: class 1 taken for 2, of 2 classes", "{error}");
    Ok(())
}

/// An epoch of a TKS training run whose loss rises while both cross entropies fall.
fn tks_epoch(epoch: usize) -> EpochRecord {
    let (falling, rising) = (2.0 / epoch as f64, epoch as f64);
    EpochRecord {
        epoch,
        train_loss: Some(rising),
        train_cross_entropy: Some(falling),
        test_loss: Some(falling + 0.25),
        loss_parts: [("ce".to_string(), falling), ("soft".to_string(), 9.0)].into(),
        ..EpochRecord::default()
    }
}

#[test]
fn cross_entropies_share_a_chart_and_the_loss_has_its_own() -> Result<()> {
    let page = Report { epochs: (1..=3).map(tks_epoch).collect(), ..Report::default() }.page()?;
    let figure = |name: &str| page.figures.iter().find(|figure| figure.name == name);
    let entropy = figure("cross_entropy").context("a chart of cross entropies")?;
    let text = Parsed::of(&entropy.svg)?.text;
    ensure!(text.contains("training") && text.contains("test") && !text.contains("soft"), "{text}");
    let loss = figure("training_loss").context("a chart of the loss")?;
    let text = Parsed::of(&loss.svg)?.text;
    ensure!(text.contains("soft") && text.contains("ce") && !text.contains("test"), "{text}");
    ensure!(loss.caption.contains("may rise while the network learns"), "{}", loss.caption);
    // The table has the numbers, with test beside training.
    let text = Parsed::of(&page.html)?.text;
    ensure!(text.contains("Train cross entropyTest cross entropyTraining loss"), "{text}");
    ensure!(text.contains("1.00001.25002.0000"), "{text}");
    Ok(())
}

#[test]
fn a_loss_that_is_the_cross_entropy_is_drawn_once() -> Result<()> {
    let names = |change: fn(&mut EpochRecord)| -> Result<Vec<&'static str>> {
        let mut epochs: Vec<_> = (1..=2).map(tks_epoch).collect();
        epochs.iter_mut().for_each(change);
        let page = Report { epochs, ..Report::default() }.page()?;
        Ok(page.figures.iter().map(|figure| figure.name).collect())
    };
    let plain = names(|epoch| {
        epoch.train_loss = epoch.train_cross_entropy;
        epoch.loss_parts.remove("soft");
    })?;
    assert_eq!(plain, ["cross_entropy"]);
    // A record from before the training cross entropy was recorded.
    let old = names(|epoch| epoch.train_cross_entropy = None)?;
    assert_eq!(old, ["cross_entropy", "training_loss"]);
    Ok(())
}

#[test]
fn energy_is_told_for_each_processor() -> Result<()> {
    let layer = |macs, input| LayerOperations { layer: "l".into(), macs, input };
    let energy = Energy {
        time_steps: 10,
        layers: vec![
            layer(1_000_000, LayerInput::Frames { density: 0.08 }),
            layer(2_000_000, LayerInput::Spikes { rate: 0.1 }),
        ],
    };
    let page = Report { energy: Some(energy), ..Report::default() }.page()?;
    let text = Parsed::of(&page.html)?.text;
    // 0.8 M multiplications at 4.6 pJ and 2 M additions at 0.9 pJ; 30 M and 3 M multiplications.
    for row in ["event-driven800 k2.00 M5.48 µJ", "dense30.0 M0138 µJ", "dense3.00 M013.8 µJ"] {
        ensure!(text.contains(row), "{row} is not in: {text}");
    }
    ensure!(
        text.contains("takes 0.40 times the energy of the ANN where an event-driven processor"),
        "{text}"
    );
    ensure!(text.contains("and 10.00 times where both run on a dense one"), "{text}");
    ensure!(text.contains("event frames, 8.00 % not zero"), "{text}");
    Ok(())
}

#[test]
fn a_membrane_is_drawn_before_and_after_its_reset() -> Result<()> {
    let trace = |before_reset: Vec<f64>| Trace {
        name: "n".into(),
        membrane: vec![0.5, 0.0],
        before_reset,
        spikes: vec![false, true],
        v_threshold: 1.0,
    };
    let svg = |trace| -> Result<Parsed> { Parsed::of(&tks_report::chart::membrane_traces("m", &[trace])?) };
    let line = |parsed: &Parsed| -> usize {
        parsed.values("points").iter().map(|points| points.split_whitespace().count()).max().unwrap_or(0)
    };
    let (known, unknown) = (svg(trace(vec![0.5, 1.25]))?, svg(trace(Vec::new()))?);
    // The second time step has two potentials; without the one before the reset, the axis ends at the
    // threshold.
    let ys =
        |parsed: &Parsed| parsed.values("cy").iter().map(|y| y.parse::<f64>().unwrap()).collect::<Vec<_>>();
    ensure!(ys(&known)[1] < ys(&known)[0], "a dot above the one before: charged, not reset");
    ensure!(ys(&unknown)[1] > ys(&unknown)[0], "reset");
    ensure!(line(&known) >= 4, "{}", line(&known));
    Ok(())
}

#[test]
fn many_classes_make_a_chart_of_bearable_size() -> Result<()> {
    for classes in [1, 2, 10, 100, 200] {
        let mut confusion = Confusion::new((0..classes).map(|k| format!("class {k}")).collect());
        for i in 0..5000 {
            confusion.add(i % classes, if i % 7 == 0 { i * 31 % classes } else { i % classes })?;
        }
        let page = Report { confusion: Some(confusion), ..Report::default() }.page()?;
        Parsed::of(&page.figures[0].svg)?;
        ensure!(page.html.len() < 1_000_000, "{classes} classes: {} bytes", page.html.len());
    }
    Ok(())
}

#[test]
fn a_report_is_stored_and_read_again() -> Result<()> {
    let written = report(&[0.5, 0.25, 1e-9], HOSTILE);
    let read: Report = serde_json::from_str(&serde_json::to_string(&written)?)?;
    assert_eq!(read, written);
    let error = serde_json::from_str::<Report>("{\"titel\": \"x\"}").expect_err("a misspelt key").to_string();
    ensure!(error.contains("unknown field `titel`"), "{error}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// NaN, infinities, the largest numbers and constants all give a page without invalid coordinates.
    #[test]
    fn any_numbers_make_a_page(numbers in prop::collection::vec(any::<f64>(), 1..30), constant in any::<bool>()) {
        let numbers = if constant { numbers[..1].to_vec() } else { numbers };
        let page = report(&numbers, "x").page().expect("a page");
        prop_assert!(Parsed::of(&page.html).expect("well-formed").stands_alone());
        for figure in &page.figures {
            let svg = Parsed::of(&figure.svg).expect("well-formed");
            for key in ["x", "y", "width", "height", "cx", "cy", "r", "points", "x1", "x2", "y1", "y2"] {
                for value in svg.values(key) {
                    prop_assert!(!value.contains("NaN") && !value.contains("inf"), "{}: {} = {}", figure.name, key, value);
                }
            }
        }
    }

    #[test]
    fn any_text_stays_text(text in "\\PC{0,40}|[<>&\"'/\\-!\\[\\]a-z ]{0,40}") {
        let page = report(&[0.5, 0.7], &text).page().expect("a page");
        prop_assert!(Parsed::of(&page.html).expect("well-formed").stands_alone());
    }
}
