//! Architectures and layers added by a program, and the names valid in a configuration.

use serde::Deserialize;
use tch::{Device, Kind, Tensor, nn};
use tks_models::{
    Architecture, ArchitecturePlan, Builder, Execution, ForwardContext, Input, InputKind, InputShape,
    LayerConfig, LayerPlan, ModelError, Network, NetworkConfig, SpikformerConfig, SpikingModel, Summary,
    WeightInit,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tower {
    #[serde(default = "two")]
    depth: usize,
    scale: Option<f64>,
}

fn two() -> usize {
    2
}

impl ArchitecturePlan for Tower {
    fn weight_init(&self) -> WeightInit {
        self.scale.map_or(WeightInit::Uniform, WeightInit::Normal)
    }

    fn check(&self) -> Result<(), ModelError> {
        if self.depth > 0 {
            return Ok(());
        }
        Err(ModelError::Config { field: "depth".into(), problem: "0 is out of range: 1 or above".into() })
    }

    fn build(&self, builder: &mut Builder<'_>) -> Result<(), ModelError> {
        builder.push_flatten();
        for i in 0..self.depth {
            builder.push_linear(&format!("level{i}"), 8, Some(&format!("level{i}.neurons")))?;
        }
        builder.push_classifier("head")
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Twice {
    features: usize,
}

impl LayerPlan for Twice {
    fn check(&self) -> Result<(), ModelError> {
        if self.features > 0 {
            return Ok(());
        }
        Err(ModelError::Config { field: "features".into(), problem: "0 is out of range: 1 or above".into() })
    }

    fn build(&self, builder: &mut Builder<'_>, name: &str) -> Result<(), ModelError> {
        builder.push_flatten();
        for part in ["a", "b"] {
            builder.push_linear(
                &format!("{name}.{part}"),
                self.features,
                Some(&format!("{name}.{part}.node")),
            )?;
        }
        Ok(())
    }
}

fn parse(text: &str) -> Result<NetworkConfig, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

/// Serialising to TOML and JSON and deserialising gives the same value.
fn round_trip(config: &NetworkConfig) {
    assert_eq!(&parse(&toml::to_string(config).unwrap()).unwrap(), config);
    let json = serde_json::to_string(config).unwrap();
    assert_eq!(&serde_json::from_str::<NetworkConfig>(&json).unwrap(), config);
}

#[test]
fn an_architecture_of_ones_own_is_chosen_checked_built_and_written_by_its_name() {
    Architecture::register_with::<Tower>("registry_tower").unwrap();
    assert!(Architecture::names().contains(&"registry_tower"));
    let config = parse("architecture = { registry_tower = { depth = 3 } }\nclasses = 4\n").unwrap();
    assert_eq!(config.architecture.name(), "registry_tower");
    round_trip(&config);
    let store = nn::VarStore::new(Device::Cpu);
    let network = Network::new(&store.root(), &config, InputShape::new(1, 4, 4)).unwrap();
    assert_eq!(network.neuron_names(), ["level0.neurons", "level1.neurons", "level2.neurons"]);
    let x = Tensor::rand([5, 1, 4, 4], (Kind::Float, Device::Cpu));
    let logits = network.forward(Input::Static(&x, 3), true, &Execution::default()).unwrap();
    assert_eq!(logits.size(), [3, 5, 4]);
    // The name alone selects the defaults.
    assert_eq!(
        "registry_tower".parse::<Architecture>().unwrap(),
        parse("architecture = { registry_tower = {} }").unwrap().architecture
    );
    match parse("architecture = { registry_tower = { depth = 0 } }").unwrap().check() {
        Err(ModelError::Config { field, .. }) => assert_eq!(field, "architecture.registry_tower.depth"),
        other => panic!("{other:?}"),
    }
    let error = parse("architecture = { registry_tower = { depht = 1 } }").unwrap_err();
    assert!(error.contains("depht") && error.contains("depth"), "{error}");
    let error = parse("architecture = { registry_tower = { scale = nan } }").unwrap_err();
    assert!(error.contains("not finite"), "{error}");
    assert!(parse("architecture = { registry_tower = { scale = 1.5 } }").is_ok());
}

#[test]
fn a_plan_without_parameters_is_a_word() {
    fn build(builder: &mut Builder<'_>) -> Result<(), ModelError> {
        builder.push_flatten();
        builder.push_classifier("head")
    }
    let plan: fn(&mut Builder<'_>) -> Result<(), ModelError> = build;
    Architecture::register("registry_linear", plan).unwrap();
    let config = parse("architecture = 'registry_linear'").unwrap();
    assert_eq!(config.architecture.plan().input(), InputKind::Any);
    config.check().unwrap();
    round_trip(&config);
    assert!(parse("architecture = { registry_linear = { depth = 1 } }").is_err());
}

#[test]
fn names_are_words_and_taken_once() {
    fn build(builder: &mut Builder<'_>) -> Result<(), ModelError> {
        builder.push_classifier("head")
    }
    let plan: fn(&mut Builder<'_>) -> Result<(), ModelError> = build;
    for (name, expected) in [
        ("vgg_snn", "already"),
        ("Tower", "snake_case"),
        ("", "snake_case"),
        ("1st", "snake_case"),
        ("two words", "snake_case"),
    ] {
        let error = Architecture::register(name, plan).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
    Architecture::register("registry_once", plan).unwrap();
    assert!(Architecture::register("registry_once", plan).is_err());
    assert!(LayerConfig::register_with::<Twice>("conv").is_err());
}

#[test]
fn a_layer_of_ones_own_stands_among_the_others() {
    LayerConfig::register_with::<Twice>("registry_twice").unwrap();
    let text = "architecture = 'sequential'\nlayers = ['flatten', { registry_twice = { features = 6 } }]\n";
    let config = parse(text).unwrap();
    round_trip(&config);
    let store = nn::VarStore::new(Device::Cpu);
    let network = Network::new(&store.root(), &config, InputShape::new(1, 4, 4)).unwrap();
    assert_eq!(network.neuron_names(), ["feature.1.a.node", "feature.1.b.node"]);
    let zero =
        parse("architecture = 'sequential'\nlayers = [{ registry_twice = { features = 0 } }]\n").unwrap();
    match zero.check() {
        Err(ModelError::Config { field, .. }) => assert_eq!(field, "layers[0].registry_twice.features"),
        other => panic!("{other:?}"),
    }
    let unknown = parse("layers = ['no_such_layer']").unwrap_err();
    assert!(unknown.contains("registry_twice") && unknown.contains("global_avg_pool"), "{unknown}");
}

#[test]
fn what_ships_is_known_by_its_name() {
    let all = Architecture::all();
    assert_eq!(all.len(), 13);
    for architecture in all {
        let name = architecture.name();
        assert!(Architecture::names().contains(&name.as_str()));
        assert_eq!(name.parse::<Architecture>().unwrap(), architecture);
        if architecture.name() != "sequential" {
            round_trip(&NetworkConfig { architecture, ..NetworkConfig::default() });
        }
    }
    for name in ["conv", "sew_block", "batch_norm", "avg_pool", "flatten", "linear"] {
        assert!(LayerConfig::names().contains(&name), "{name}");
    }
    assert_eq!(parse("architecture = \"sew_resnet19\"").unwrap().architecture, Architecture::SewResnet19);
    let error = "sew_resnet91".parse::<Architecture>().unwrap_err().to_string();
    assert!(error.contains("architecture") && error.contains("sew_resnet19"), "{error}");
}

#[test]
fn parameters_of_a_spikformer_are_checked_by_name() {
    let check = |parameters: &str| {
        let config = parse(&format!("architecture = {{ spikformer = {{ {parameters} }} }}")).unwrap();
        config.check().map_err(|error| error.to_string())
    };
    check("").unwrap();
    check("depth = 1, width = 64, heads = 8, patch_size = 16").unwrap();
    for (parameters, expected) in [
        ("depth = 0", "architecture.spikformer.depth"),
        ("width = 100", "multiple of 8"),
        ("heads = 5", "multiple of `heads`"),
        ("patch_size = 3", "architecture.spikformer.patch_size"),
        ("mlp_ratio = 0", "architecture.spikformer.mlp_ratio"),
    ] {
        let error = check(parameters).unwrap_err();
        assert!(error.contains(expected), "{parameters}: {error}");
    }
    for (parameters, expected) in [
        ("blocks = []", "blocks"),
        ("blocks = [1, 1]", "channels"),
        ("stem_kernel = 4", "stem_kernel"),
        ("first_stride = 0", "first_stride"),
    ] {
        let config = parse(&format!("architecture = {{ ms_resnet18 = {{ {parameters} }} }}")).unwrap();
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains(&format!("architecture.ms_resnet18.{expected}")), "{parameters}: {error}");
    }
}

/// Each patch size results in the stated number of tokens.
#[test]
fn patches_are_as_large_as_they_are_said_to_be() {
    for patch_size in [1, 2, 4, 8, 16] {
        let sizes =
            SpikformerConfig { depth: 1, width: 16, heads: 2, patch_size, ..SpikformerConfig::default() };
        let config =
            NetworkConfig { architecture: Architecture::Spikformer(sizes), ..NetworkConfig::default() };
        let store = nn::VarStore::new(Device::Cpu);
        let network = Network::new(&store.root(), &config, InputShape::new(2, 16, 32)).unwrap();
        let layers = &network.summary().layers;
        let qkv = layers.iter().find(|layer| layer.name == "blocks.0.attn.qkv_conv_bn.0").unwrap();
        assert_eq!(qkv.input, [16 * 32 / (patch_size * patch_size), 16]);
        assert_eq!(qkv.macs as usize, qkv.input[0] * 16 * 48);
    }
}

/// A model with a layer that receives its spikes of the previous step, which layers on whole sequences cannot
/// express.
#[derive(Debug)]
struct Feedback {
    input: InputShape,
    summary: Summary,
    tensors: Vec<(String, Tensor)>,
}

impl SpikingModel for Feedback {
    fn input_shape(&self) -> InputShape {
        self.input
    }

    fn summary(&self) -> &Summary {
        &self.summary
    }

    fn named_tensors(&self) -> &[(String, Tensor)] {
        &self.tensors
    }

    fn run(&self, input: Input<'_>, _: &mut ForwardContext<'_>) -> Result<Tensor, ModelError> {
        let [(_, weight), (_, back)] = self.tensors.as_slice() else { panic!("two tensors") };
        let steps = match input {
            Input::Sequence(x) => x.f_flatten(2, -1)?,
            Input::Static(x, steps) => x.f_flatten(1, -1)?.f_unsqueeze(0)?.f_repeat([steps as i64, 1, 1])?,
        };
        let mut fed_back = steps.f_get(0)?.f_linear::<Tensor>(weight, None)?.f_zeros_like()?;
        let mut outputs = Vec::new();
        for step in steps.f_unbind(0)? {
            fed_back = step.f_linear::<Tensor>(weight, None)?.f_add(&fed_back.f_mul(back)?)?;
            outputs.push(fed_back.shallow_clone());
        }
        Ok(Tensor::f_stack(&outputs, 0)?)
    }
}

#[derive(Debug)]
struct FeedbackPlan;

impl ArchitecturePlan for FeedbackPlan {
    fn build(&self, _: &mut Builder<'_>) -> Result<(), ModelError> {
        Err(ModelError::Execution("its layers do not run one after the other".into()))
    }

    fn model(
        &self,
        path: &nn::Path<'_>,
        config: &NetworkConfig,
        input: InputShape,
    ) -> Result<Option<Box<dyn SpikingModel>>, ModelError> {
        let features = (input.channels * input.height * input.width) as i64;
        let weight = path.var("weight", &[config.classes as i64, features], nn::Init::Const(0.5));
        let back = path.var("back", &[config.classes as i64], nn::Init::Const(0.25));
        let tensors = vec![("weight".to_owned(), weight), ("back".to_owned(), back)];
        Ok(Some(Box::new(Feedback { input, summary: Summary { layers: Vec::new() }, tensors })))
    }
}

#[test]
fn a_model_of_ones_own_is_built_by_its_name_and_has_what_a_trainer_asks_for() {
    Architecture::register("feedback", FeedbackPlan).unwrap();
    let config: NetworkConfig = toml::from_str("architecture = 'feedback'\nclasses = 3").unwrap();
    let store = nn::VarStore::new(Device::Cpu);
    let model = config.build(&store.root(), InputShape::new(1, 2, 2)).unwrap();
    let images = Tensor::ones([5, 1, 2, 2], (Kind::Float, Device::Cpu));
    let logits = model.forward(Input::Static(&images, 2), true, &Execution::default()).unwrap();
    let row = |step: i64| Vec::<f32>::try_from(logits.get(step).get(0)).unwrap();
    assert_eq!((row(0), row(1)), (vec![2.0; 3], vec![2.5; 3]));
    logits.sum(Kind::Float).backward();
    assert!(model.named_tensors().iter().all(|(_, tensor)| tensor.grad().defined()));
    assert!(model.trace(Input::Static(&images, 2), 0, 4, &Execution::default()).unwrap().is_empty());
    assert!(model.describe_layers().unwrap().is_empty());
    let refused = Network::new(&store.root(), &config, InputShape::new(1, 2, 2)).unwrap_err();
    assert_eq!(refused.to_string(), "its layers do not run one after the other");
}
