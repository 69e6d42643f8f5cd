//! Layers of `sequential` compared with libtorch's own operations, and the valid ranges of their settings.

mod common;

use std::collections::HashMap;

use tch::{Device, Kind, Tensor, nn};
use tks_autograd::convolution::ConvBackend;
use tks_models::{
    ArchitecturePlan, Builder, Execution, ForwardContext, Input, InputShape, Layer, LayerDescription,
    LayerKind, Mode, ModelError, Network, NetworkConfig, SpikingModel,
};

use common::fill_by_formula;

const STEPS: i64 = 3;
const BATCH: i64 = 2;

fn config(layers: &str) -> NetworkConfig {
    toml::from_str(&format!("architecture = \"sequential\"\nlayers = {layers}\n")).unwrap()
}

fn build(layers: &str, input: [usize; 3]) -> Result<(nn::VarStore, Network), ModelError> {
    let store = nn::VarStore::new(Device::Cpu);
    let [channels, height, width] = input;
    let network = Network::new(&store.root(), &config(layers), InputShape::new(channels, height, width))?;
    fill_by_formula(&network);
    Ok((store, network))
}

fn spikes(size: &[i64]) -> Tensor {
    let count: i64 = size.iter().product();
    let waves = (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 0.739).sin();
    waves.gt(0.6).to_kind(Kind::Float).reshape(size)
}

/// The output of the first synapse, recorded by an observer.
#[derive(Default)]
struct FirstCurrent(Option<Tensor>);

impl tks_models::Observer for FirstCurrent {
    fn synapse_output(&mut self, _: &str, output: &Tensor) -> Result<(), ModelError> {
        self.0.get_or_insert_with(|| output.shallow_clone());
        Ok(())
    }
}

#[test]
fn groups_and_dilation_are_those_of_libtorch_forward_and_backward() {
    // Input channels, settings, and libtorch's arguments: stride, padding, dilation, groups.
    let cases = [
        (8, "channels = 8, groups = 8", [1, 1, 1, 8]),
        (8, "channels = 16, groups = 2, stride = 2", [2, 1, 1, 2]),
        (4, "channels = 6, dilation = 2", [1, 2, 2, 1]),
        (
            4,
            "channels = 8, kernel = 5, dilation = 3, groups = 4, padding = 4, batch_norm = false",
            [1, 4, 3, 4],
        ),
        (4, "channels = 6", [1, 1, 1, 1]),
    ];
    for (channels, settings, [stride, padding, dilation, groups]) in cases {
        let (store, network) =
            build(&format!("[{{ conv = {{ {settings} }} }}]"), [channels, 13, 12]).unwrap();
        let x = spikes(&[STEPS, BATCH, channels as i64, 13, 12]);
        let variables = store.variables();
        let weight = variables["feature.0.conv.weight"].detach().set_requires_grad(true);
        let bias = variables.get("feature.0.conv.bias").map(Tensor::detach);
        let expected =
            x.flatten(0, 1).conv2d(&weight, bias.as_ref(), [stride; 2], [padding; 2], [dilation; 2], groups);
        for convolution in [ConvBackend::Auto, ConvBackend::Winograd, ConvBackend::Dense] {
            let execution = Execution { convolution, ..Execution::default() };
            let mut seen = FirstCurrent::default();
            let _logits = network.forward_observed(Input::Sequence(&x), true, &execution, &mut seen).unwrap();
            let current = seen.0.unwrap().flatten(0, 1);
            assert_eq!(current.size(), expected.size(), "{settings}");
            let off = (&current - &expected).abs().max().double_value(&[]);
            assert!(off < 1e-5, "{settings}, {convolution:?}: {off}");
            if groups > 1 || dilation > 1 {
                assert_eq!(current, expected, "{settings}, {convolution:?}: libtorch's own");
            }
            // The gradient of a sum whose terms differ in weight.
            let probe = (Tensor::arange(current.numel() as i64, (Kind::Float, Device::Cpu)) * 0.37)
                .sin()
                .reshape(current.size());
            let own = &variables["feature.0.conv.weight"];
            let grad = |y: &Tensor, leaf: &Tensor| {
                let sum = (y * &probe).sum(Kind::Float);
                Tensor::run_backward(&[sum], &[leaf], true, false).remove(0)
            };
            let (actual, wanted) = (grad(&current, own), grad(&expected, &weight));
            let off = (&actual - &wanted).abs().max().double_value(&[]);
            assert!(off < 1e-3 * wanted.abs().max().double_value(&[]), "{settings}, {convolution:?}: {off}");
        }
        let description = network.describe_layers().unwrap();
        let text = serde_json::to_string(&description[0]).unwrap();
        assert_eq!(text.contains("groups"), groups > 1, "{text}");
        assert!(
            matches!(description[0], LayerDescription::Convolution { groups: g, dilation: d, .. } if (g, d) == (groups, dilation))
        );
        assert_eq!(serde_json::from_str::<LayerDescription>(&text).unwrap(), description[0]);
        // One multiplication for each weight at each output position.
        let summary = &network.summary().layers[0];
        let places = summary.output[1] * summary.output[2];
        assert_eq!(summary.macs, (weight.numel() * places) as u64);
    }
}

#[test]
fn the_sparse_convolution_refuses_groups_and_dilation_by_name() {
    let execution = Execution { convolution: ConvBackend::Sparse, ..Execution::default() };
    for (settings, refused) in [("groups = 2", true), ("dilation = 2", true), ("stride = 2", false)] {
        let (_store, network) =
            build(&format!("[{{ conv = {{ channels = 4, {settings} }} }}]"), [4, 8, 8]).unwrap();
        let x = spikes(&[STEPS, BATCH, 4, 8, 8]);
        let outcome = network.forward(Input::Sequence(&x), false, &execution);
        assert_eq!(outcome.is_err(), refused, "{settings}: {outcome:?}");
        if let Err(error) = outcome {
            let said = error.to_string();
            assert!(said.contains("`feature.0.conv`") && said.contains("\"auto\""), "{said}");
        }
    }
}

#[test]
fn settings_that_make_no_sense_are_refused_by_their_names() {
    for (layers, field) in [
        ("[{ conv = { channels = 4, groups = 3 } }]", "layers[0].conv.groups"),
        ("[{ conv = { channels = 4, dilation = 0 } }]", "layers[0].conv.dilation"),
        ("[{ conv = { channels = 4, kernel = 3, dilation = 2, padding = 5 } }]", "layers[0].conv.padding"),
        (
            "[\"batch_norm\", { conv = { channels = 4, neuron = { v_threshold = -1.0 } } }]",
            "layers[1].conv.neuron.v_threshold",
        ),
        (
            "[{ linear = { features = 4, neuron = { model = { lif = { tau = 0.5 } } } } }]",
            "layers[0].linear.neuron.tau",
        ),
    ] {
        match config(layers).check() {
            Err(ModelError::Config { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{layers}: {other:?}"),
        }
    }
    // Groups that do not divide the number of input channels are detected when the network is built.
    let error = build("[{ conv = { channels = 4, groups = 4 } }]", [3, 8, 8]).unwrap_err().to_string();
    assert!(error.contains("feature.0.conv") && error.contains("3 channels to 4"), "{error}");
    let error = build("[{ conv = { channels = 4, dilation = 9, padding = 0 } }]", [4, 8, 8]).unwrap_err();
    assert!(error.to_string().contains("19x19"), "{error}");
}

#[test]
fn batch_norm_stands_anywhere_and_layers_have_neurons_of_their_own() {
    let layers = "[\"batch_norm\", { conv = { channels = 4, neuron = { model = { plif = { init_tau = 3.0 } }, \
                  v_threshold = 0.25 } } }, \"batch_norm\", \"flatten\", \"batch_norm\", { linear = { features = 8, \
                  neuron = { v_threshold = 2.0 } } }, { linear = { features = 8 } }]";
    let (store, network) = build(layers, [2, 8, 8]).unwrap();
    let thresholds: HashMap<String, f32> = network
        .describe_layers()
        .unwrap()
        .into_iter()
        .filter_map(|layer| match layer {
            LayerDescription::Neurons { name, neuron, .. } => Some((name, neuron.v_threshold)),
            _ => None,
        })
        .collect();
    assert_eq!(thresholds["feature.1.node"], 0.25);
    assert_eq!(thresholds["feature.5.node"], 2.0);
    assert_eq!(thresholds["feature.6.node"], NetworkConfig::default().neuron.v_threshold);
    assert!(store.variables().contains_key("feature.1.node.w"));
    // Serialising and deserialising gives the same value.
    let config = network.config();
    assert_eq!(&toml::from_str::<NetworkConfig>(&toml::to_string(config).unwrap()).unwrap(), config);

    let images = (Tensor::arange(BATCH * 2 * 64, (Kind::Float, Device::Cpu)) * 0.739).sin() * 3.0 + 1.0;
    let images = images.reshape([BATCH, 2, 8, 8]);
    let repeated = images.unsqueeze(0).repeat([STEPS, 1, 1, 1, 1]);
    let logits = network.forward(Input::Sequence(&repeated), true, &Execution::default()).unwrap();
    logits.sum(Kind::Float).backward();
    assert!(store.variables()["feature.0.bn.weight"].grad().defined());
    // The first batch norm's statistics are those of the images.
    let mean = images.mean_dim([0i64, 2, 3].as_slice(), false, Kind::Float) * 0.1;
    let off = (&store.variables()["feature.0.bn.running_mean"] - mean).abs().max().double_value(&[]);
    assert!(off < 1e-6, "{off}");
    let once = {
        let (_store, network) = build(layers, [2, 8, 8]).unwrap();
        network.forward(Input::Static(&images, STEPS as usize), true, &Execution::default()).unwrap()
    };
    assert!((once - logits).abs().max().double_value(&[]) < 1e-4);
}

/// Multiplies each channel by a learned number.
#[derive(Debug)]
struct Ramp(Tensor);

impl Layer for Ramp {
    fn forward(&self, x: &Tensor, _: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        Ok(x.f_mul(&self.0)?)
    }

    fn parameters<'a>(&'a self, parameters: &mut Vec<&'a Tensor>) {
        parameters.push(&self.0);
    }

    fn share(&self) -> Option<Box<dyn Layer>> {
        Some(Box::new(Ramp(self.0.shallow_clone())))
    }
}

fn with_own_layer(builder: &mut Builder<'_>) -> Result<(), ModelError> {
    builder.push_conv("conv", tks_models::ConvPlan::three(4, 1), Some(("bn", 1.0)), None)?;
    let shape = [1, 1, 4, 1, 1];
    let gain = builder.parameter("gain", Tensor::ones(shape, (Kind::Float, Device::Cpu)) * 1.5)?;
    builder.push(Ramp(gain));
    builder.push_neurons("neurons")?;
    builder.push_flatten();
    builder.push_classifier("head")
}

/// A layer defined by a program, in each way of execution: its gradient, checkpointing, and a static prefix
/// before it.
#[test]
fn a_layer_of_ones_own_runs_in_every_way() {
    let plan: fn(&mut Builder<'_>) -> Result<(), ModelError> = with_own_layer;
    let images = (Tensor::arange(BATCH * 3 * 64, (Kind::Float, Device::Cpu)) * 0.739).sin();
    let images = images.reshape([BATCH, 3, 8, 8]);
    let repeated = images.unsqueeze(0).repeat([STEPS, 1, 1, 1, 1]);
    let run = |input: Input<'_>, train: bool, execution: Execution| {
        let store = nn::VarStore::new(Device::Cpu);
        let config = NetworkConfig::default();
        let network = Network::from_plan(&store.root(), &config, InputShape::new(3, 8, 8), &plan).unwrap();
        fill_by_formula(&network);
        let logits = network.forward(input, train, &execution).unwrap();
        logits.square().sum(Kind::Float).backward();
        let statistics = store.variables()["bn.running_var"].copy();
        (logits.detach(), store.variables()["gain"].grad(), statistics)
    };
    let near = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]) < 1e-3;
    let expected = run(Input::Sequence(&repeated), true, Execution::default());
    assert!(expected.1.abs().max().double_value(&[]) > 0.0);
    let checkpoints = Execution { checkpoint_blocks: true, ..Execution::default() };
    for (input, execution) in [
        (Input::Sequence(&repeated), checkpoints),
        (Input::Static(&images, STEPS as usize), Execution::default()),
        (Input::Static(&images, STEPS as usize), checkpoints),
    ] {
        let found = run(input, true, execution);
        assert!(near(&found.0, &expected.0) && near(&found.2, &expected.2), "{execution:?}");
        assert!(near(&(&found.1 / &expected.1), &Tensor::ones_like(&expected.1)), "{execution:?}");
    }
    let evaluated = run(Input::Sequence(&repeated), false, Execution::default());
    let by_step = Execution { mode: Mode::StepByStep, ..Execution::default() };
    assert!(near(&run(Input::Static(&images, STEPS as usize), false, by_step).0, &evaluated.0));
}

#[test]
fn parts_of_a_residual_branch_are_computed_at_every_step() {
    let (_store, network) = build(
        "[{ avg_pool = {} }, { conv = { channels = 4 } }, { sew_block = { channels = 4 } }]",
        [3, 8, 8],
    )
    .unwrap();
    let is_static: Vec<_> =
        network.summary().layers.iter().map(|layer| (layer.kind, layer.is_static)).collect();
    let first = [LayerKind::AvgPool, LayerKind::Convolution, LayerKind::BatchNorm, LayerKind::Neurons];
    assert_eq!(is_static[..4], first.map(|kind| (kind, kind != LayerKind::Neurons)));
    assert!(is_static[4..].iter().all(|(_, is_static)| !is_static));
    let (_store, network) = build("[{ sew_block = { channels = 4 } }]", [3, 8, 8]).unwrap();
    let in_block = &network.summary().layers[..network.summary().layers.len() - 1];
    assert!(in_block.iter().all(|layer| !layer.is_static), "{in_block:?}");
}

/// Attention alone, on an image's pixels, whose channels are queries, keys and values.
#[derive(Debug)]
struct AttentionOnly {
    heads: usize,
}

impl ArchitecturePlan for AttentionOnly {
    fn build(&self, builder: &mut Builder<'_>) -> Result<(), ModelError> {
        builder.push_tokens("tokens")?;
        builder.push_attention("attention", self.heads, 0.125)?;
        builder.push_flatten();
        Ok(())
    }
}

/// Products of spikes are integers: any order of multiplication gives identical bits.
#[test]
fn attention_is_exact_in_the_cheaper_order() {
    // More tokens than features per head, and fewer.
    for (side, features, heads) in [(6i64, 24i64, 6i64), (2, 48, 2), (3, 9, 1)] {
        let tokens = side * side;
        let config = NetworkConfig { classes: (tokens * features) as usize, ..NetworkConfig::default() };
        let input = InputShape::new(3 * features as usize, side as usize, side as usize);
        let store = nn::VarStore::new(Device::Cpu);
        let plan = AttentionOnly { heads: heads as usize };
        let network = Network::from_plan(&store.root(), &config, input, &plan).unwrap();
        let x = spikes(&[STEPS, BATCH, 3 * features, side, side]).set_requires_grad(true);
        let actual = network.forward(Input::Sequence(&x), true, &Execution::default()).unwrap();

        let size = features / heads;
        let heads_of = |index: i64| {
            let part = x.narrow(2, index * features, features).flatten(3, 4);
            part.reshape([STEPS, BATCH, heads, size, tokens]).transpose(3, 4)
        };
        let (q, k, v) = (heads_of(0), heads_of(1), heads_of(2));
        let gather = |y: Tensor| (y * 0.125).transpose(2, 3).reshape([STEPS, BATCH, tokens * features]);
        let left = gather(q.matmul(&k.transpose(3, 4)).matmul(&v));
        let right = gather(q.matmul(&k.transpose(3, 4).matmul(&v)));
        assert_eq!(actual, left);
        assert_eq!(actual, right);
        assert!(left.max().double_value(&[]) > 0.125);
        let gradient =
            |y: &Tensor| Tensor::run_backward(&[y.square().sum(Kind::Float)], &[&x], true, false).remove(0);
        assert_eq!(gradient(&actual), gradient(&left));

        let macs = network.summary().layers[0].macs;
        assert_eq!(macs, (2 * tokens * features * tokens.min(size)) as u64);
        let activity = network.synaptic_activity(Input::Sequence(&x), &Execution::default()).unwrap();
        assert_eq!(activity[0].name, "attention");
    }
}

#[test]
fn a_network_that_does_not_end_in_the_classes_is_refused() {
    let store = nn::VarStore::new(Device::Cpu);
    let input = InputShape::new(3, 2, 2);
    let plan = AttentionOnly { heads: 1 };
    let error = Network::from_plan(&store.root(), &NetworkConfig::default(), input, &plan).unwrap_err();
    assert!(error.to_string().contains("push_classifier"), "{error}");
}

/// The blocks of a transformer, and those whose shortcuts carry membrane potentials, with checkpointing,
/// channels last and in `bf16`.
#[test]
fn blocks_of_tokens_and_of_membranes_run_in_every_way() {
    for architecture in [
        "{ spikformer = { depth = 2, width = 32, heads = 4 } }",
        "{ ms_resnet18 = { blocks = [1, 1], channels = [8, 16], stem_channels = 8, stem_kernel = 3 } }",
    ] {
        let images = (Tensor::arange(BATCH * 3 * 256, (Kind::Float, Device::Cpu)) * 0.739).sin() + 0.5;
        let images = images.reshape([BATCH, 3, 16, 16]);
        let run = |execution: Execution| {
            let config: NetworkConfig = toml::from_str(&format!("architecture = {architecture}")).unwrap();
            let store = nn::VarStore::new(Device::Cpu);
            let network = Network::new(&store.root(), &config, InputShape::new(3, 16, 16)).unwrap();
            fill_by_formula(&network);
            // In MS-ResNet, the last weights of the branches start at 0.
            for (_, weight) in network.named_tensors().iter().filter(|(name, _)| name.ends_with("bn2.weight"))
            {
                let _filled = tch::no_grad(|| weight.shallow_clone().fill_(0.5));
            }
            let logits = network.forward(Input::Static(&images, STEPS as usize), true, &execution).unwrap();
            logits.square().sum(Kind::Float).backward();
            let first = network.named_tensors().iter().find(|(_, tensor)| tensor.dim() == 4).unwrap();
            (logits.detach(), first.1.grad())
        };
        let (logits, grad) = run(Execution::default());
        assert!(logits.std(false).double_value(&[]) > 0.0, "{architecture} is silent");
        let near = |a: &Tensor, b: &Tensor| {
            (a - b).abs().max().double_value(&[]) <= 1e-3 * b.abs().max().double_value(&[])
        };
        let checkpoints = run(Execution { checkpoint_blocks: true, ..Execution::default() });
        assert_eq!(checkpoints.0, logits, "{architecture}");
        assert!(near(&checkpoints.1, &grad), "{architecture}");
        // Rounding can change a spike here: the test checks that it runs, with about the same result.
        for execution in [
            Execution { bf16: true, ..Execution::default() },
            Execution { channels_last: true, ..Execution::default() },
        ] {
            let (other, gradient) = run(execution);
            assert_eq!(gradient.kind(), Kind::Float);
            let product = (&other * &logits).sum(Kind::Float).double_value(&[]);
            let cosine = product / (other.norm() * logits.norm()).double_value(&[]);
            assert!(cosine > 0.5, "{architecture}, {execution:?}: {cosine}");
        }
    }
}
