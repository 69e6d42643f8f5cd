//! A network rebuilt from only its description and its tensors, with plain operations, gives the same output.

use std::collections::HashMap;

use tch::{Device, Kind, Tensor, nn};
use tks_models::{
    Architecture, Execution, Input, InputShape, JoinDescription, LayerDescription, MsResnetConfig, Network,
    NetworkConfig, SpikformerConfig, SpikingModel,
};
use tks_neuron::{Model, Neuron};

const STEPS: i64 = 3;

/// Runs the described layers on `x`, `[T * B, ...]`.
fn run(layers: &[LayerDescription], x: &Tensor, tensors: &HashMap<String, Tensor>) -> Tensor {
    let mut x = x.shallow_clone();
    for layer in layers {
        x = step(layer, &x, tensors);
    }
    x
}

fn step(layer: &LayerDescription, x: &Tensor, tensors: &HashMap<String, Tensor>) -> Tensor {
    let tensor = |layer: &str, name: &str| &tensors[&format!("{layer}.{name}")];
    match layer {
        LayerDescription::Convolution {
            name,
            weight,
            bias,
            stride,
            padding,
            dilation,
            groups,
            output,
            ..
        } => {
            assert_eq!(&tensor(name, "weight").size(), weight);
            let bias = bias.then(|| tensor(name, "bias"));
            let y =
                x.conv2d(tensor(name, "weight"), bias, [*stride; 2], [*padding; 2], [*dilation; 2], *groups);
            assert_eq!(y.size()[1..], output.iter().map(|&size| size as i64).collect::<Vec<_>>());
            y
        }
        LayerDescription::Linear { name, weight, bias, output, .. } => {
            assert_eq!(&tensor(name, "weight").size(), weight);
            let y = x.linear(&tensor(name, "weight").flatten(1, -1), bias.then(|| tensor(name, "bias")));
            assert_eq!(y.size()[1..], output.iter().map(|&size| size as i64).collect::<Vec<_>>());
            y
        }
        LayerDescription::BatchNorm { name, channels, eps, .. } => {
            assert_eq!(tensor(name, "weight").size(), [*channels]);
            let [weight, bias, mean, variance] =
                ["weight", "bias", "running_mean", "running_var"].map(|own| Some(tensor(name, own)));
            // Tokens, [N, D], are normalised over D.
            let channels_first = if x.dim() == 3 { x.transpose(1, 2) } else { x.shallow_clone() };
            let y = channels_first.batch_norm(weight, bias, mean, variance, false, 0.0, *eps, false);
            if x.dim() == 3 { y.transpose(1, 2) } else { y }
        }
        LayerDescription::Neurons { neuron, tau, .. } => {
            let Neuron { v_threshold, v_reset: Some(v_reset), strict: true, .. } = *neuron else {
                panic!("the neurons of this test reset hard and fire above their threshold")
            };
            let mut size = x.size();
            let steps = x.reshape([&[STEPS, size[0] / STEPS], &size[1..]].concat().as_slice());
            let mut membrane = Tensor::zeros(steps.get(0).size(), (Kind::Float, Device::Cpu));
            let mut spikes = Vec::new();
            for t in 0..STEPS {
                membrane = &membrane + (steps.get(t) - &membrane) / tau.unwrap();
                let fired = membrane.gt(f64::from(v_threshold)).to_kind(Kind::Float);
                membrane = &membrane * (1.0 - &fired) + &fired * f64::from(v_reset);
                spikes.push(fired);
            }
            size[0] = x.size()[0];
            Tensor::stack(&spikes, 0).view(size.as_slice())
        }
        LayerDescription::AvgPool { size } => {
            x.avg_pool2d([*size; 2], [*size; 2], [0, 0], false, true, None::<i64>)
        }
        LayerDescription::MaxPool { size, stride, padding } => {
            x.max_pool2d([*size; 2], [*stride; 2], [*padding; 2], [1, 1], false)
        }
        LayerDescription::GlobalAvgPool => x.mean_dim([2i64, 3].as_slice(), false, Kind::Float),
        LayerDescription::Flatten => x.flatten(1, -1),
        LayerDescription::ToTokens => x.flatten(2, 3).transpose(1, 2),
        LayerDescription::MeanOfTokens => x.mean_dim(1i64, false, Kind::Float),
        LayerDescription::Attention { heads, scale } => {
            let [count, tokens, width] = x.size()[..] else { panic!("attention is of tokens") };
            let split = x.reshape([count, tokens, 3, *heads, width / 3 / heads]);
            let part = |index| split.select(2, index).transpose(1, 2);
            let weights = part(0).matmul(&part(1).transpose(2, 3)) * *scale;
            weights.matmul(&part(2)).transpose(1, 2).reshape([count, tokens, width / 3])
        }
        LayerDescription::Dropout { .. } => x.shallow_clone(),
        LayerDescription::Block { main, shortcut, join, after } => {
            let (main, shortcut) = (run(main, x, tensors), run(shortcut, x, tensors));
            let joined = match join {
                JoinDescription::Add => main + shortcut,
                JoinDescription::And => main * shortcut,
                JoinDescription::Iand => (1.0 - main) * shortcut,
                other => panic!("no such join here: {other:?}"),
            };
            run(after, &joined, tensors)
        }
        other => panic!("no such layer here: {other:?}"),
    }
}

#[test]
fn networks_of_every_plan_are_rebuilt_from_their_descriptions() {
    tch::manual_seed(5);
    // One architecture of each kind: the others have more of the same blocks.
    for architecture in [
        Architecture::VggSnn,
        Architecture::Small,
        Architecture::SewResnet18,
        Architecture::SewResnet50,
        Architecture::TdbnResnet19,
        Architecture::SpikingResnet18,
        Architecture::MsResnet18(MsResnetConfig {
            stem_kernel: 3,
            stem_stride: 1,
            ..MsResnetConfig::default()
        }),
        Architecture::Spikformer(SpikformerConfig {
            depth: 2,
            width: 48,
            heads: 3,
            ..SpikformerConfig::default()
        }),
    ] {
        let neuron = Neuron {
            model: Model::Plif { init_tau: 3.0, decay_input: true },
            ..NetworkConfig::default().neuron
        };
        let config = NetworkConfig {
            architecture: architecture.clone(),
            width: 8,
            neuron,
            learn_threshold: true,
            ..NetworkConfig::default()
        };
        let store = nn::VarStore::new(Device::Cpu);
        let network = Network::new(&store.root(), &config, InputShape::new(2, 32, 32)).unwrap();
        let images = Tensor::rand([2, 2, 32, 32], (Kind::Float, Device::Cpu)) * 4.0 - 1.0;
        let input = Input::Static(&images, STEPS as usize);
        // Running statistics that let neurons fire, and different neurons in each layer.
        tch::no_grad(|| {
            let _logits = network.forward(input, true, &Execution::default()).unwrap();
            for (name, tensor) in network.named_tensors() {
                // Statistics from one training pass move a tenth of the way to the batch's; this makes it the
                // whole way.
                if name.ends_with("running_mean") {
                    let _mean = tensor.shallow_clone().g_div_scalar_(0.1);
                }
                if name.ends_with("running_var") {
                    let _variance = tensor.shallow_clone().g_sub_scalar_(0.9).g_div_scalar_(0.1);
                }
                // In MS-ResNet, the last weights of the branches start at 0.
                if name.ends_with("bn2.weight") {
                    let _set = tensor.shallow_clone().fill_(0.5);
                }
                if name.ends_with(".w") || name.ends_with(".v_threshold") {
                    let _changed =
                        tensor.shallow_clone().g_add_(&(Tensor::rand([], (Kind::Float, Device::Cpu)) * 0.2));
                }
            }
        });
        let text = serde_json::to_string(&network.describe_layers().unwrap()).unwrap();
        let layers: Vec<LayerDescription> = serde_json::from_str(&text).unwrap();
        let tensors: HashMap<String, Tensor> =
            network.named_tensors().iter().map(|(name, tensor)| (name.clone(), tensor.detach())).collect();
        let expected = tch::no_grad(|| network.forward(input, false, &Execution::default())).unwrap();
        let repeated = images.repeat([STEPS, 1, 1, 1]);
        let actual = run(&layers, &repeated, &tensors).view_as(&expected);
        let off = (&actual - &expected).abs().max().double_value(&[]);
        // Rounding can change whether a neuron fires, so all but a few outputs must agree.
        let close =
            (&actual - &expected).abs().lt(1e-3).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
        assert!(close > 0.9, "{architecture:?}: {off}, {close}");
        assert!(expected.std(false).double_value(&[]) > 0.0, "{architecture:?} is silent");
    }
}
