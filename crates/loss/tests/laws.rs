//! Properties that hold for every batch.

#![allow(
    clippy::needless_range_loop,
    reason = "loops over steps, samples and classes, as the equations have them"
)]

mod common;

use common::{Problem, relative_error, softmax};
use proptest::prelude::*;
use tch::{Kind, Tensor};
use tks_loss::{
    Assembly, CeConfig, LossConfig, MseRateConfig, NoCorrect, Progress, Schedule, Selection, Target,
    TeacherGradient, TetConfig, TksConfig,
};

const PROGRESS: Progress = Progress { epoch: 2, epochs: 5 };

prop_compose! {
    fn problem()(seed in any::<u64>(), steps in 1usize..6, samples in 1usize..8, classes in 1usize..9, mixed in any::<bool>())
        -> Problem
    {
        let problem = Problem::random(seed, steps, samples, classes);
        if mixed { problem.mixed() } else { problem }
    }
}

fn tks() -> impl Strategy<Value = TksConfig> {
    (
        (0.2f64..10.0, 0.0f64..=1.0, 0.0f64..0.9),
        prop_oneof![Just(Schedule::Linear), Just(Schedule::Static), Just(Schedule::Cosine)],
        prop_oneof![Just(Selection::Correct), Just(Selection::All), (1usize..5).prop_map(Selection::TopK)],
        prop_oneof![
            Just(Assembly::Sum),
            Just(Assembly::Mean),
            Just(Assembly::Confidence),
            Just(Assembly::LastCorrect)
        ],
        prop_oneof![Just(NoCorrect::Uniform), Just(NoCorrect::Label), Just(NoCorrect::Skip)],
        prop_oneof![Just(TeacherGradient::Attached), Just(TeacherGradient::Detached)],
    )
        .prop_map(
            |((tau, alpha, label_smoothing), schedule, selection, assembly, no_correct, gradient)| {
                TksConfig { tau, alpha, schedule, selection, assembly, no_correct, gradient, label_smoothing }
            },
        )
}

fn any_loss() -> impl Strategy<Value = LossConfig> {
    prop_oneof![
        4 => tks().prop_map(LossConfig::Tks),
        1 => (0.0f64..0.9).prop_map(|label_smoothing| LossConfig::Ce(CeConfig { label_smoothing })),
        1 => (0.0f64..=1.0, -2.0f64..2.0, 0.0f64..0.9)
            .prop_map(|(lambda, phi, label_smoothing)| LossConfig::Tet(TetConfig { lambda, phi, label_smoothing })),
        1 => Just(LossConfig::MseRate(MseRateConfig {})),
    ]
}

fn evaluate(problem: &Problem, loss: &LossConfig) -> (f64, Vec<f64>) {
    let (output, gradient) = problem.compute(loss, PROGRESS).expect("a sound problem");
    (output.loss.double_value(&[]), gradient)
}

fn assert_same(a: (f64, Vec<f64>), b: (f64, Vec<f64>)) {
    assert!((a.0 - b.0).abs() <= 1e-11 * (1.0 + b.0.abs()), "{} and {}", a.0, b.0);
    let scale = 1.0 + b.1.iter().fold(0.0f64, |max, x| max.max(x.abs()));
    assert!(a.1.iter().zip(&b.1).all(|(a, b)| (a - b).abs() <= 1e-11 * scale), "{:?}\n{:?}", a.1, b.1);
}

/// The samples in another order.
fn rotated(problem: &Problem, by: usize) -> Problem {
    let mut rotated = problem.clone();
    for b in 0..problem.samples {
        let from = (b + by) % problem.samples;
        for t in 0..problem.steps {
            let at = (t * problem.samples + b) * problem.classes;
            rotated.logits[at..at + problem.classes].copy_from_slice(problem.logits_at(t, from));
        }
        rotated.target[b * problem.classes..(b + 1) * problem.classes]
            .copy_from_slice(problem.target_of(from));
    }
    rotated
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_loss_equals_plain_loops(problem in problem(), loss in any_loss()) {
        let expected = problem.reference(&loss, PROGRESS, None).loss;
        let actual = evaluate(&problem, &loss).0;
        prop_assert!(relative_error(&[actual], &[expected]) < 1e-9 || (actual - expected).abs() < 1e-12);
    }

    #[test]
    fn the_order_of_samples_does_not_matter(problem in problem(), loss in any_loss(), by in 0usize..8) {
        let rotated = rotated(&problem, by);
        let (value, gradient) = evaluate(&problem, &loss);
        let (rotated_value, rotated_gradient) = evaluate(&rotated, &loss);
        let gradient = Problem { logits: gradient, ..problem.clone() };
        assert_same((rotated_value, rotated_gradient), (value, self::rotated(&gradient, by).logits));
    }

    #[test]
    fn on_labels_alone_tks_is_cross_entropy(problem in problem(), config in tks()) {
        let ce = LossConfig::Ce(CeConfig { label_smoothing: config.label_smoothing });
        let labels_alone = TksConfig { alpha: 1.0, schedule: Schedule::Static, ..config };
        assert_same(evaluate(&problem, &LossConfig::Tks(labels_alone)), evaluate(&problem, &ce));
        let (first, gradient) = {
            let (output, gradient) = problem
                .compute(&LossConfig::Tks(TksConfig { schedule: Schedule::Linear, ..config }), Progress { epoch: 0, epochs: 5 })
                .expect("a sound problem");
            (output.loss.double_value(&[]), gradient)
        };
        assert_same((first, gradient), evaluate(&problem, &ce));
    }

    #[test]
    fn all_steps_mean_teacher_is_that_of_the_mean_logits(problem in problem(), config in tks()) {
        let config = TksConfig {
            selection: Selection::All, assembly: Assembly::Mean, tau: 1.0, alpha: 0.0, schedule: Schedule::Static, ..config
        };
        let teachers = problem.teacher_logits(&config);
        for b in 0..problem.samples {
            let mut mean = vec![0.0; problem.classes];
            for t in 0..problem.steps {
                for (mean, x) in mean.iter_mut().zip(problem.logits_at(t, b)) {
                    *mean += x / problem.steps as f64;
                }
            }
            let teacher = softmax(teachers[b].as_ref().expect("all steps teach"));
            prop_assert!(relative_error(&teacher, &softmax(&mean)) < 1e-12);
        }
        // The cross entropy to the teacher is at least the teacher's entropy.
        let (output, _) = problem.compute(&LossConfig::Tks(config), PROGRESS).expect("a sound problem");
        let entropy = output.teacher.summary().expect("sums").teacher_entropy.expect("all steps teach");
        prop_assert!(output.loss.double_value(&[]) >= entropy - 1e-9);
    }

    #[test]
    fn more_steps_than_there_are_is_all_of_them(problem in problem(), config in tks()) {
        let top = TksConfig { selection: Selection::TopK(problem.steps), ..config };
        let all = TksConfig { selection: Selection::All, ..config };
        assert_same(evaluate(&problem, &LossConfig::Tks(top)), evaluate(&problem, &LossConfig::Tks(all)));
        let beyond = TksConfig { selection: Selection::TopK(problem.steps + 3), ..config };
        assert_same(evaluate(&problem, &LossConfig::Tks(beyond)), evaluate(&problem, &LossConfig::Tks(all)));
    }

    #[test]
    fn what_a_sample_without_teacher_learns_matters_to_no_other(problem in problem(), config in tks()) {
        // If some step classifies every sample correctly, the choices agree.
        let reference = problem.reference(&LossConfig::Tks(config), PROGRESS, None);
        prop_assume!(reference.none_right == 0.0);
        let results = [NoCorrect::Uniform, NoCorrect::Label, NoCorrect::Skip]
            .map(|no_correct| evaluate(&problem, &LossConfig::Tks(TksConfig { no_correct, ..config })));
        assert_same(results[0].clone(), results[1].clone());
        assert_same(results[0].clone(), results[2].clone());
    }

    #[test]
    fn a_shift_of_all_logits_changes_nothing(problem in problem(), config in tks(), shift in -5.0f64..5.0) {
        let mut shifted = problem.clone();
        shifted.logits.iter_mut().for_each(|x| *x += shift);
        let loss = LossConfig::Tks(config);
        let (a, b) = (evaluate(&problem, &loss), evaluate(&shifted, &loss));
        prop_assert!((a.0 - b.0).abs() < 1e-9 * (1.0 + a.0.abs()), "{} and {}", a.0, b.0);
    }

    #[test]
    fn each_gradient_of_a_softmax_loss_sums_to_nothing(problem in problem(), config in tks()) {
        let (_, gradient) = evaluate(&problem, &LossConfig::Tks(config));
        for row in gradient.chunks(problem.classes) {
            prop_assert!(row.iter().sum::<f64>().abs() < 1e-10);
        }
    }

    #[test]
    fn hard_labels_are_their_one_hot_form(seed in any::<u64>(), loss in any_loss()) {
        let problem = Problem::random(seed, 3, 5, 4);
        let labels = Tensor::from_slice(&problem.labels());
        let logits = problem.logits_tensor().set_requires_grad(true);
        let output = loss.compute(&logits, Target::Hard(&labels), PROGRESS).expect("a sound problem");
        output.loss.backward();
        let gradient = Vec::<f64>::try_from(&logits.grad().reshape([-1])).expect("f64");
        assert_same((output.loss.double_value(&[]), gradient), evaluate(&problem, &loss));
    }

    #[test]
    fn statistics_of_parts_are_those_of_the_whole(seed in any::<u64>(), config in tks(), cut in 1i64..7) {
        let problem = Problem::random(seed, 4, 8, 5);
        let loss = LossConfig::Tks(config);
        let (logits, target) = (problem.logits_tensor(), problem.target_tensor());
        let of = |from: i64, to: i64| {
            let target = target.slice(0, from, to, 1);
            loss.compute(&logits.slice(1, from, to, 1), Target::Soft(&target), PROGRESS).expect("a sound problem").teacher
        };
        let whole = of(0, 8).summary().expect("sums");
        let mut parts = of(0, cut);
        parts.merge(&of(cut, 8)).expect("as many steps");
        let parts = parts.summary().expect("sums");
        prop_assert_eq!(parts.samples, 8);
        prop_assert_eq!(&parts.right_per_step, &whole.right_per_step);
        prop_assert_eq!((parts.right_steps, parts.none_right, parts.mean_right), (whole.right_steps, whole.none_right, whole.mean_right));
        match (parts.teacher_entropy, whole.teacher_entropy) {
            (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-12),
            (a, b) => prop_assert_eq!(a, b),
        }
    }
}

#[test]
fn statistics_of_other_steps_are_refused() {
    let of = |steps| {
        let problem = Problem::random(1, steps, 4, 3);
        problem.compute(&LossConfig::default(), PROGRESS).expect("a sound problem").0.teacher
    };
    let error = of(3).merge(&of(4)).expect_err("another number of steps").to_string();
    assert!(error.contains("`statistics` has the shape [4], but [3]"), "{error}");
}

#[test]
fn accuracy_is_that_of_the_mean_logits() -> anyhow::Result<()> {
    let problem = Problem::random(5, 4, 200, 6);
    let labels = Tensor::from_slice(&problem.labels());
    let logits = problem.logits_tensor();
    let expected = logits.mean_dim(0i64, false, Kind::Double).accuracy_for_logits(&labels).double_value(&[]);
    for loss in LossConfig::all() {
        let name = loss.name();
        let seen = loss.compute(&logits, Target::Hard(&labels), PROGRESS)?.teacher.summary()?;
        assert!((seen.mean_right - expected).abs() < 1e-6, "{name}: {seen:?}");
        assert_eq!((seen.samples, seen.teacher_entropy.is_some()), (200, name == "tks"));
    }
    Ok(())
}

proptest! {
    /// For every loss, the cross entropy is that of the mean over the steps with the given labels.
    #[test]
    fn every_loss_tells_the_same_cross_entropy(problem in problem()) {
        let (logits, soft) = (problem.logits_tensor(), problem.target_tensor());
        let compute = |loss: &LossConfig| loss.compute(&logits, Target::Soft(&soft), PROGRESS).expect("a sound problem");
        let smoothed = CeConfig { label_smoothing: 0.3 };
        let losses = [
            LossConfig::Tks(TksConfig { label_smoothing: 0.2, ..TksConfig::default() }),
            LossConfig::Ce(smoothed),
            LossConfig::Tet(TetConfig::default()),
            LossConfig::MseRate(MseRateConfig {}),
        ];
        let expected = compute(&LossConfig::Ce(CeConfig::default())).loss.double_value(&[]);
        for loss in losses {
            let output = compute(&loss);
            prop_assert!(!output.cross_entropy.requires_grad());
            let found = output.cross_entropy.double_value(&[]);
            prop_assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{}: {found}, not {expected}", loss.name());
        }
    }
}
