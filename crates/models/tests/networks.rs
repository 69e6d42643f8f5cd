//! Every architecture at a small size, and comparisons between ways of execution.

use std::sync::Mutex;

use tch::{Device, Kind, Tensor, nn};
use tks_models::{
    Architecture, ConvConfig, Execution, FiringRates, Input, InputShape, LayerConfig, Mode, ModelError,
    Network, NetworkConfig, SewBlockConfig, SpikingModel,
};

const CLASSES: i64 = 5;
const STEPS: i64 = 3;
const BATCH: i64 = 4;

/// A network for 32x32 RGB images with random weights.
fn build(architecture: Architecture) -> (nn::VarStore, Network) {
    let layers = match architecture {
        Architecture::Sequential => vec![
            LayerConfig::Conv(ConvConfig::new(16)),
            LayerConfig::SewBlock(SewBlockConfig { channels: 32, stride: 2 }),
            LayerConfig::GlobalAvgPool,
        ],
        _ => Vec::new(),
    };
    let config = NetworkConfig {
        architecture,
        classes: CLASSES as usize,
        width: 16,
        layers,
        ..NetworkConfig::default()
    };
    // The generator is global, and tests run concurrently.
    static GENERATOR: Mutex<()> = Mutex::new(());
    let _guard = GENERATOR.lock().unwrap();
    tch::manual_seed(3);
    let store = nn::VarStore::new(Device::Cpu);
    let network = Network::new(&store.root(), &config, InputShape::new(3, 32, 32)).unwrap();
    (store, network)
}

fn images() -> Tensor {
    (Tensor::arange(BATCH * 3 * 32 * 32, (Kind::Float, Device::Cpu)) * 0.739)
        .sin()
        .reshape([BATCH, 3, 32, 32])
}

fn labels() -> Tensor {
    Tensor::arange(BATCH, (Kind::Int64, Device::Cpu)).remainder(CLASSES)
}

/// The largest difference, relative to the largest expected value.
fn off(actual: &Tensor, expected: &Tensor) -> f64 {
    let scale = expected.abs().max().double_value(&[]).max(1e-6);
    (actual - expected).abs().max().double_value(&[]) / scale
}

/// Logits, every gradient and every running statistic after one training pass.
fn train(architecture: Architecture, input: Input<'_>, execution: Execution) -> Vec<(String, Tensor)> {
    let (store, network) = build(architecture);
    let logits = network.forward(input, true, &execution).unwrap();
    logits.mean_dim(0, false, Kind::Float).cross_entropy_for_logits(&labels()).backward();
    let mut results = vec![("logits".to_owned(), logits.detach())];
    let mut variables: Vec<_> = store.variables().into_iter().collect();
    variables.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, tensor) in variables {
        let result = if tensor.requires_grad() { tensor.grad() } else { tensor.copy() };
        assert!(result.defined(), "{name} has no gradient");
        results.push((name, result));
    }
    results
}

fn compare(actual: &[(String, Tensor)], expected: &[(String, Tensor)], tolerance: f64) {
    assert_eq!(actual.len(), expected.len());
    for ((name, actual), (_, expected)) in actual.iter().zip(expected) {
        let off = off(actual, expected);
        assert!(off < tolerance, "{name}: {off}");
    }
}

#[test]
fn every_architecture_has_gradients_and_runs_step_by_step() {
    for architecture in Architecture::all() {
        let (store, network) = build(architecture.clone());
        let images = images();
        let input = Input::Static(&images, STEPS as usize);
        let logits = network.forward(input, true, &Execution::default()).unwrap();
        assert_eq!(logits.size(), [STEPS, BATCH, CLASSES], "{architecture:?}");
        logits.mean_dim(0, false, Kind::Float).cross_entropy_for_logits(&labels()).backward();
        let mut total = 0.0;
        for (name, parameter) in store.variables().into_iter().filter(|(_, tensor)| tensor.requires_grad()) {
            let norm = parameter.grad().norm().double_value(&[]);
            assert!(norm.is_finite(), "{architecture:?}, {name}");
            total += norm;
        }
        assert!(total > 0.0, "{architecture:?}");
        let _guard = tch::no_grad_guard();
        let layers = network.forward(input, false, &Execution::default()).unwrap();
        let steps = Execution { mode: Mode::StepByStep, ..Execution::default() };
        let steps = network.forward(input, false, &steps).unwrap();
        assert!(off(&steps, &layers) < 1e-4, "{architecture:?}: {}", off(&steps, &layers));
    }
}

#[test]
fn a_static_image_gives_what_its_repetition_does() {
    for architecture in [Architecture::Small, Architecture::Sequential, Architecture::SewResnet20] {
        let images = images();
        let sequence = images.unsqueeze(0).repeat([STEPS, 1, 1, 1, 1]);
        let once = train(architecture.clone(), Input::Static(&images, STEPS as usize), Execution::default());
        let repeated = train(architecture, Input::Sequence(&sequence), Execution::default());
        compare(&once, &repeated, 1e-3);
    }
}

#[test]
fn ways_of_running_change_nothing_but_rounding() {
    let images = images();
    let input = Input::Static(&images, STEPS as usize);
    for architecture in [Architecture::Small, Architecture::Sequential] {
        let expected = train(architecture.clone(), input, Execution::default());
        for execution in [
            Execution { checkpoint_blocks: true, ..Execution::default() },
            Execution { channels_last: true, ..Execution::default() },
            Execution { convolution: tks_autograd::convolution::ConvBackend::Dense, ..Execution::default() },
            Execution {
                convolution: tks_autograd::convolution::ConvBackend::Winograd,
                ..Execution::default()
            },
            Execution { neurons: tks_autograd::layer::Backend::Plain, ..Execution::default() },
        ] {
            compare(&train(architecture.clone(), input, execution), &expected, 1e-3);
        }
        // Rounding to bf16 changes spikes near the threshold, with a large effect on untrained weights; a
        // wrong result would be orthogonal.
        let half = train(architecture, input, Execution { bf16: true, ..Execution::default() });
        for ((name, half), (_, single)) in
            half.iter().zip(&expected).filter(|((name, _), _)| !name.contains("running"))
        {
            assert_eq!(half.kind(), Kind::Float, "{name}");
            let scale = (half.norm() * single.norm()).double_value(&[]);
            if scale > 1e-9 {
                let cosine = (half * single).sum(Kind::Float).double_value(&[]) / scale;
                assert!(cosine > 0.5, "{name}: {cosine}");
            }
        }
    }
}

#[test]
fn weights_of_another_network_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let (store, network) = build(Architecture::Small);
    let mut tensors: Vec<(String, Tensor)> =
        network.named_tensors().iter().map(|(name, tensor)| (name.clone(), tensor.detach())).collect();
    let save = |tensors: &[(String, Tensor)]| {
        let pairs: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        Tensor::write_safetensors(&pairs, &path).unwrap();
    };
    save(&tensors);
    let before = store.variables()[&tensors[0].0].copy();
    let _zeros = tch::no_grad(|| store.variables()[&tensors[0].0].shallow_clone().zero_());
    // The tensors saved above share memory with the network; those in the file do not.
    assert!(network.load_safetensors(&path, true).unwrap().is_empty());
    assert_eq!(store.variables()[&tensors[0].0], before);

    let (missing, _) = tensors.pop().unwrap();
    tensors.push(("surplus".into(), Tensor::from(1.0f32)));
    save(&tensors);
    let problem = network.load_safetensors(&path, true).unwrap_err();
    assert!(matches!(problem, ModelError::Weights { .. }));
    let problem = problem.to_string();
    assert!(problem.contains(&missing) && problem.contains("surplus"), "{problem}");
    let mismatch = network.load_safetensors(&path, false).unwrap();
    assert_eq!((mismatch.missing, mismatch.surplus), (vec![missing], vec!["surplus".to_owned()]));

    let name = tensors[0].0.clone();
    tensors[0].1 = Tensor::zeros([1, 2, 3], (Kind::Float, Device::Cpu));
    save(&tensors);
    let problem = network.load_safetensors(&path, false).unwrap_err().to_string();
    assert!(problem.contains(&name) && problem.contains("[1, 2, 3]"), "{problem}");
    std::fs::write(&path, b"no weights").unwrap();
    assert!(matches!(network.load_safetensors(&path, false), Err(ModelError::Read { .. })));
}

#[test]
fn a_checkpointed_block_keeps_spikes_apart_from_their_tensor() {
    for (scale, kept_apart) in [(1.0, true), (0.25, false)] {
        let (_store, network) = build(Architecture::Small);
        let spikes = Tensor::arange(STEPS * BATCH * 3 * 32 * 32, (Kind::Float, Device::Cpu)).sin().gt(0.0);
        let x = (spikes.to_kind(Kind::Float) * scale).view([STEPS, BATCH, 3, 32, 32]);
        let execution = Execution { checkpoint_blocks: true, ..Execution::default() };
        let logits = network.forward(Input::Sequence(&x), true, &execution).unwrap();
        // libtorch detects that a tensor it keeps has changed.
        let _ = x.shallow_clone().fill_(7.0);
        let passed = logits.square().sum(Kind::Float).f_backward();
        assert_eq!(passed.is_ok(), kept_apart, "{scale}: {passed:?}");
    }
}

/// Before its reset, a membrane potential is at or above the threshold if the neuron fires; otherwise, it
/// equals the one after.
#[test]
fn a_trace_has_the_membranes_before_their_reset() {
    let (_store, network) = build(Architecture::Small);
    let x = images() * 3.0;
    let traces = network.trace(Input::Static(&x, STEPS as usize), 1, 20, &Execution::default()).unwrap();
    let mut fired = 0.0;
    for trace in traces {
        assert_eq!(trace.before_reset.size(), trace.membranes.size());
        assert_eq!(trace.v_threshold, f64::from(network.config().neuron.v_threshold));
        let above = trace.before_reset.ge(trace.v_threshold).to_kind(Kind::Float);
        assert_eq!(above, trace.spikes, "{}", trace.name);
        let silent: Tensor = (&trace.before_reset - &trace.membranes) * (1.0 - &trace.spikes);
        assert!(silent.abs().max().double_value(&[]) < 1e-5, "{}", trace.name);
        fired += trace.spikes.sum(Kind::Double).double_value(&[]);
    }
    assert!(fired > 0.0);
}

/// For an input that consists of sums or means of spikes, each spike counts.
#[test]
fn synaptic_activity_counts_spikes_in_sums_and_means() {
    let (_store, network) = build(Architecture::Small);
    let first = |values: &[f32]| {
        let mut all = vec![0.0f32; 3 * 32 * 32];
        all[..values.len()].copy_from_slice(values);
        let x = Tensor::from_slice(&all).view([1, 1, 3, 32, 32]);
        let found = network.synaptic_activity(Input::Sequence(&x), &Execution::default()).unwrap();
        (found[0].input_density * 3072.0, found[0].spikes_per_input * 3072.0)
    };
    let near = |(density, spikes): (f64, f64), expected: (f64, f64)| {
        assert!(
            (density - expected.0).abs() < 1e-9 && (spikes - expected.1).abs() < 1e-6,
            "{density} {spikes}"
        );
    };
    near(first(&[]), (0.0, 0.0));
    near(first(&[1.0, 0.0, 1.0]), (2.0, 2.0));
    near(first(&[1.0, 3.0, 2.0]), (3.0, 6.0));
    near(first(&[0.25, 0.5, 1.0]), (3.0, 7.0));
}

/// A convolution of one-pixel images, for which a batch of one has one value per channel.
fn one_pixel() -> (nn::VarStore, Network) {
    let layers = vec![LayerConfig::Conv(ConvConfig::new(8)), LayerConfig::Conv(ConvConfig::new(8))];
    let config = NetworkConfig { architecture: Architecture::Sequential, layers, ..NetworkConfig::default() };
    let store = nn::VarStore::new(Device::Cpu);
    let network = Network::new(&store.root(), &config, InputShape::new(3, 1, 1)).unwrap();
    (store, network)
}

#[test]
fn batch_norm_of_one_value_a_channel_is_refused_by_name_and_leaves_no_nan() {
    let (_store, network) = one_pixel();
    let image = Tensor::ones([1, 3, 1, 1], (Kind::Float, Device::Cpu));
    let sequence = image.unsqueeze(0);
    for input in [Input::Static(&image, 4), Input::Sequence(&sequence)] {
        let error = network.forward(input, true, &Execution::default()).unwrap_err().to_string();
        assert!(error.contains("`feature.0.bn` gets 1 value a channel from a batch of 1 sample"), "{error}");
    }
    for (name, tensor) in network.named_tensors() {
        assert!(bool::try_from(tensor.isfinite().all()).unwrap(), "{name}");
    }
    let refused =
        |samples, steps, is_static| network.check_training_batch(samples, steps, is_static).is_err();
    assert!(refused(1, 4, true), "an image that is shown four times is normalised once");
    assert!(refused(1, 1, false));
    assert!(!refused(1, 4, false) && !refused(2, 1, true));
    // Evaluation normalises with the running statistics.
    let _logits = network.forward(Input::Static(&image, 4), false, &Execution::default()).unwrap();
}

#[test]
fn a_membrane_that_is_not_a_number_shows_where_the_output_looks_sound() {
    let (_store, network) = build(Architecture::Small);
    let images = images();
    let run = || {
        let mut rates = FiringRates::default();
        let input = Input::Static(&images, STEPS as usize);
        let logits =
            tch::no_grad(|| network.forward_observed(input, false, &Execution::default(), &mut rates))
                .unwrap();
        assert!(bool::try_from(logits.isfinite().all()).unwrap());
        rates.layers().into_iter().map(|layer| layer.finite).collect::<Vec<_>>()
    };
    assert!(run().into_iter().all(|finite| finite));
    let weight = network.named_tensors().iter().find(|(name, _)| name.ends_with("conv.weight")).unwrap();
    let _weight = tch::no_grad(|| weight.1.shallow_clone().fill_(f64::NAN));
    let finite = run();
    assert!(!finite[0] && finite[1..].iter().all(|finite| *finite), "{finite:?}");
}

#[test]
fn running_statistics_are_far_from_a_batch_at_first_and_near_after_training_steps() {
    let (_store, network) = build(Architecture::Small);
    let images = images();
    let input = Input::Static(&images, STEPS as usize);
    let gaps = || network.norm_gaps(input, &Execution::default()).unwrap();
    let before: Vec<Tensor> = network.named_tensors().iter().map(|(_, tensor)| tensor.copy()).collect();
    let first = gaps();
    assert!(first.iter().any(|gap| gap.variance_ratio > 2.0 || gap.variance_ratio < 0.5), "{first:?}");
    for ((name, tensor), before) in network.named_tensors().iter().zip(&before) {
        assert_eq!(tensor, before, "{name}");
    }
    for _ in 0..60 {
        let _logits = tch::no_grad(|| network.forward(input, true, &Execution::default())).unwrap();
    }
    for gap in gaps() {
        assert!((0.8..1.25).contains(&gap.variance_ratio) && gap.mean_distance < 0.1, "{gap:?}");
    }
}
