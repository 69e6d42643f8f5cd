//! Values computed from a report's numbers.

use tks_report::{Confusion, Energy, EpochRecord, LayerActivity, LayerInput, LayerOperations, StepAccuracy};

fn close(actual: f64, expected: f64) {
    assert!((actual - expected).abs() <= 1e-12 * expected.abs(), "{actual}, not {expected}");
}

#[test]
fn energy_is_that_of_horowitz() {
    let energy = Energy {
        time_steps: 4,
        layers: vec![
            LayerOperations {
                layer: "first".into(),
                macs: 1000,
                input: LayerInput::Analog { evaluations: 1 },
            },
            LayerOperations {
                layer: "frames".into(),
                macs: 300,
                input: LayerInput::Frames { density: 0.05 },
            },
            LayerOperations { layer: "second".into(), macs: 5000, input: LayerInput::Spikes { rate: 0.1 } },
            LayerOperations { layer: "third".into(), macs: 200, input: LayerInput::Spikes { rate: 1.5 } },
        ],
    };
    close(energy.snn_macs(), 1000.0 + 300.0 * 0.05 * 4.0);
    close(energy.dense_macs(), 1000.0 + 5500.0 * 4.0);
    close(energy.snn_acs(), 5000.0 * 0.1 * 4.0 + 200.0 * 1.5 * 4.0);
    close(energy.ann_macs(), 6500.0);
    close(energy.snn_joules(), 1060.0 * 4.6e-12 + 3200.0 * 0.9e-12);
    close(energy.dense_joules(), 23000.0 * 4.6e-12);
    close(energy.ann_joules(), 6500.0 * 4.6e-12);
}

#[test]
fn deviation_is_that_of_a_sample() {
    let accuracy = StepAccuracy {
        name: "TKS".into(),
        time_steps: vec![1, 2, 4],
        runs: vec![vec![0.5, 0.75, f64::NAN], vec![0.7, f64::NAN], vec![0.6]],
    };
    let (mean, deviation) = accuracy.mean_and_deviation(0).expect("three runs");
    close(mean, 0.6);
    close(deviation.expect("three runs"), 0.1);
    assert_eq!(accuracy.mean_and_deviation(1), Some((0.75, None)));
    assert_eq!(accuracy.mean_and_deviation(2), None);
}

#[test]
fn confusion_counts_classes() {
    let mut confusion = Confusion::new(vec!["a".into(), "b".into(), "c".into()]);
    for (label, taken) in [(0, 0), (0, 1), (0, 1), (1, 1), (1, 0)] {
        confusion.add(label, taken).expect("classes");
    }
    assert_eq!(confusion.counts, [[1, 2, 0], [1, 1, 0], [0, 0, 0]]);
    close(confusion.accuracy().expect("samples"), 0.4);
    close(confusion.recall(0).expect("samples"), 1.0 / 3.0);
    assert_eq!(confusion.recall(2), None);
    assert_eq!(confusion.most_confused(9), [(0, 1, 2), (1, 0, 1)]);
    assert_eq!(confusion.most_confused(1), [(0, 1, 2)]);
    assert_eq!(Confusion::default().accuracy(), None);
}

#[test]
fn rates_are_means_over_steps() {
    let layer = |firing_rate| LayerActivity { layer: "x".into(), neurons: 1, firing_rate };
    assert_eq!(layer(vec![0.25, 0.75]).mean_rate(), Some(0.5));
    assert_eq!(layer(vec![]).mean_rate(), None);
}

#[test]
fn an_epochs_scalars_are_what_was_measured() {
    let record = EpochRecord {
        train_loss: Some(1.5),
        train_cross_entropy: Some(0.75),
        test_loss: Some(1.0),
        test_accuracy: Some(0.5),
        loss_parts: [("soft".to_string(), 2.5)].into(),
        right_per_step: vec![0.1, 0.2],
        ..EpochRecord::default()
    };
    let expected = [
        ("train/loss", 1.5),
        ("test/loss", 1.0),
        ("cross_entropy/train", 0.75),
        ("cross_entropy/test", 1.0),
        ("test/accuracy", 0.5),
        ("loss/soft", 2.5),
        ("teacher/right_at_step/1", 0.1),
        ("teacher/right_at_step/2", 0.2),
    ];
    assert_eq!(record.scalars(), expected.map(|(name, value)| (name.to_string(), value)));
}
