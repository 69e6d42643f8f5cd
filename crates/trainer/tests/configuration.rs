//! The messages of the configuration for invalid values: each key with each wrong kind of value.

use std::path::Path;

use tks_trainer::config::{Config, keys};

fn parse(text: &str, changes: &[String]) -> Result<Config, String> {
    Config::parse(text, Path::new("a.toml"), changes).map_err(|error| error.to_string())
}

/// `a.b[].c` with a value, as one line of TOML.
fn line(key: &str, value: &str) -> String {
    let mut parts = key.split('.').rev();
    let entry = |part: &str, value: String| match part.strip_suffix("[]") {
        Some(list) => format!("{list} = [{value}]"),
        None => format!("{part} = {value}"),
    };
    let last = parts.next().unwrap();
    let text = match last.strip_suffix("[]") {
        Some(list) => format!("{list} = [{value}]"),
        None => format!("{last} = {value}"),
    };
    parts.fold(text, |text, part| entry(part, format!("{{ {text} }}")))
}

/// Values that are invalid for a key of this kind.
fn wrong(kind: &str) -> &'static [&'static str] {
    match kind {
        "whole number" => {
            &["\"three\"", "1.5", "1e12", "true", "[1]", "{}", "1979-05-27", "99999999999999999999"]
        }
        "number" => &["\"three\"", "true", "[1]", "{}", "1979-05-27"],
        "true or false" => &["1", "\"yes\"", "[]", "{}", "0.5"],
        "text" | "path" => &["1", "0.5", "true", "[\"a\"]", "{}"],
        "list" => &["1", "\"a\"", "true", "{}", "0.5"],
        "choice" => &["1", "0.5", "true", "[]", "{}", "\"no_such_name\"", "{ no_such_name = {} }"],
        "table" => &["1", "0.5", "true", "\"no_such_name\"", "[1]"],
        _ => &[],
    }
}

/// Words of Rust and its libraries, which mean nothing to authors of configurations.
fn rust_words(text: &str) -> Vec<&'static str> {
    // The precision of computation is named where it can be chosen.
    let text = text.replace("stay in `f32`", "");
    const WORDS: [&str; 26] = [
        "usize",
        "u8",
        "u16",
        "u32",
        "u64",
        "i32",
        "i64",
        "f32",
        "f64",
        "unit variant",
        "struct variant",
        "newtype",
        "tuple",
        "a sequence",
        "a map",
        "invalid type",
        "invalid value",
        "invalid length",
        "untagged",
        "expected ",
        "enum ",
        "struct ",
        "Some(",
        "None",
        "unwrap",
        "deserialize",
    ];
    let is_word = |word: &&str| {
        text.match_indices(*word).any(|(start, _)| {
            let before = text[..start].chars().next_back();
            !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
        })
    };
    WORDS.into_iter().filter(|word| is_word(word)).collect()
}

#[test]
fn each_wrong_kind_of_value_of_each_key_is_answered_with_the_key_its_place_and_what_is_allowed() {
    let mut tried = 0;
    for key in keys::all() {
        // The first item of a list.
        let shown = key.name().replace("[]", "[0]");
        for value in wrong(key.kind()) {
            let text = line(key.name(), value);
            let said = parse(&text, &[]).expect_err(&text);
            assert!(said.starts_with("a.toml:1:") && said.contains(&shown), "{text}: {said}");
            let allowed = ["it should be", "needs a value", "has to be given", "unknown key", "given"];
            assert!(allowed.iter().any(|words| said.contains(words)), "{text}: {said}");
            assert_eq!(rust_words(&said), Vec::<&str>::new(), "{text}: {said}");
            if !key.name().contains("[]") {
                let change = format!("{}={value}", key.name());
                let said = parse("", std::slice::from_ref(&change)).expect_err(&change);
                let start: String = format!("`--set {change}").chars().take(60).collect();
                assert!(said.starts_with(&start) && said.contains(&shown), "{said}");
                assert_eq!(rust_words(&said), Vec::<&str>::new(), "{change}: {said}");
            }
            tried += 1;
        }
    }
    assert!(tried > 1500, "{tried}");
}

#[test]
fn each_choice_takes_its_defaults_by_name_or_names_what_it_needs_with_an_example() {
    let mut tried = 0;
    for key in keys::all().filter(|key| key.kind() == "choice" && !key.name().contains("[]")) {
        let said = parse("", &[format!("{}=no_such_name", key.name())]).unwrap_err();
        let names = said.split("one of ").nth(1).unwrap_or_else(|| panic!("{said}"));
        for name in names.split('"').skip(1).step_by(2) {
            let mut changes = vec![format!("{}={name}", key.name())];
            // The values that it asks for are given as stated.
            let outcome = loop {
                let outcome = parse("", &changes);
                let said = outcome.as_ref().err().cloned().unwrap_or_default();
                match said.split("for example `--set ").nth(1).and_then(|rest| rest.split('`').next()) {
                    Some(example) if changes.len() < 10 => changes.push(example.to_string()),
                    _ => break outcome,
                }
            };
            if let Err(said) = outcome {
                assert_eq!(rust_words(&said), Vec::<&str>::new(), "{changes:?}: {said}");
                let needs = [
                    "`network.layers`",
                    "`data.events.recipe.time_steps",
                    "`detach_reset = true`",
                    "it should be",
                    "leave it out",
                    "never steps",
                ];
                assert!(needs.iter().any(|words| said.contains(words)), "{changes:?}: {said}");
            }
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
}

#[test]
fn what_a_value_should_be_is_said_with_its_range() {
    let cases = [
        (
            "training.epochs=three",
            "`--set training.epochs=three`: it should be a whole number, 1 or more (passes over the training samples)",
        ),
        (
            "training.epochs=-3",
            "`--set training.epochs=-3`: it should be a whole number, 1 or more (passes over",
        ),
        ("optimizer.momentum=x", "it should be a number, 0 to below 1 (SGD's momentum)"),
    ];
    for (change, expected) in cases {
        let said = parse("", &[change.to_string()]).unwrap_err();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn names_alone_take_defaults_in_files_and_on_the_command_line() {
    let file = "[network.neuron]\nmodel = \"plif\"\nsurrogate = \"atan\"\n[data]\nsampler = \"class_balanced\"\n\
                [data.events.recipe]\nrepresentation = \"voxel_grid\"\nslicing = \"time_bins\"\n";
    let from_file = parse(file, &[]).unwrap();
    let changes = [
        "network.neuron.model=plif",
        "network.neuron.surrogate=atan",
        "data.sampler=class_balanced",
        "data.events.recipe.representation=voxel_grid",
        "data.events.recipe.slicing=time_bins",
    ];
    let changed = parse("", &changes.map(String::from)).unwrap();
    assert_eq!(from_file.network.neuron.model, changed.network.neuron.model);
    assert_eq!(from_file.network.neuron.model.name(), "plif");
    assert_eq!(from_file.network.neuron.surrogate, changed.network.neuron.surrogate);
    assert_eq!(
        (&from_file.data.sampler, &from_file.data.events),
        (&changed.data.sampler, &changed.data.events)
    );
}

#[test]
fn a_setting_of_another_choice_makes_that_choice_and_the_last_change_wins() {
    let model = |changes: &[&str]| {
        let changes: Vec<String> = changes.iter().map(|change| (*change).to_string()).collect();
        parse("[network.neuron.model.lif]\ntau = 3.0\n", &changes).unwrap().network.neuron.model
    };
    assert_eq!(model(&["network.neuron.model.plif.init_tau=4"]), tks_neuron_plif(4.0, true));
    let both = ["network.neuron.model.plif.init_tau=4", "network.neuron.model.plif.decay_input=false"];
    assert_eq!(model(&both), tks_neuron_plif(4.0, false));
    assert_eq!(model(&["network.neuron.model=plif", "network.neuron.model.plif.init_tau=4"]).name(), "plif");
    assert_eq!(
        model(&["network.neuron.model.plif.init_tau=4", "network.neuron.model.lif.tau=2"]).name(),
        "lif"
    );
    let loss = parse("", &["loss.tet.lambda=0.5".to_string()]).unwrap().loss;
    assert_eq!(loss.name(), "tet");
}

fn tks_neuron_plif(init_tau: f32, decay_input: bool) -> tks_neuron::Model {
    tks_neuron::Model::Plif { init_tau, decay_input }
}

#[test]
fn short_and_mistyped_keys_are_answered_with_the_whole_one() {
    let cases = [
        ("epochs=3", "did you mean `training.epochs`"),
        ("lr=0.1", "did you mean `optimizer.lr`"),
        ("network.neuron.tau=3", "did you mean `network.neuron.model.lif.tau`"),
        ("network.tau=3", "did you mean `network.neuron.model.lif.tau`"),
        ("network.neuron.model.lif.taus=3", "did you mean `tau`"),
        ("training.epoch=3", "did you mean `epochs`"),
        ("network.architecture=sew_resnet91", "did you mean `sew_resnet19`"),
    ];
    for (change, expected) in cases {
        let said = parse("", &[change.to_string()]).unwrap_err();
        assert!(said.starts_with(&format!("`--set {change}`: ")) && said.contains(expected), "{said}");
    }
    let said = parse("name = \"a\"\nepochs = 3\n", &[]).unwrap_err();
    assert_eq!(said, "a.toml:2:1: unknown key `epochs`; did you mean `training.epochs`?");
    for other in ["T", "steps"] {
        let said = parse("", &[format!("{other}=4")]).unwrap_err();
        assert!(said.contains(&format!("unknown key `{other}`; did you mean `time_steps`?")), "{said}");
    }
}

#[test]
fn values_that_make_no_sense_are_refused_with_key_place_and_range() {
    let cases = [
        "name=../a",
        "time_steps=0",
        "time_steps=1000000000",
        "data.workers=1000000000",
        "data.workers=20000",
        "data.prefetch=0",
        "data.prefetch=1000000000000",
        "data.train.to=0",
        "data.sampler.class_balanced.per_epoch=0",
        "network.classes=0",
        "network.classes=100000000",
        "network.dropout=1.0",
        "network.dropout=nan",
        "network.width=0",
        "network.connect=and",
        "network.neuron.v_threshold=0",
        "network.neuron.v_threshold=-1.0",
        "network.neuron.v_threshold=inf",
        "network.neuron.v_threshold=1e60",
        "network.neuron.v_reset=0.5",
        "network.neuron.v_reset=nan",
        "network.neuron.model.lif.tau=0.5",
        "network.neuron.model.lif.tau=nan",
        "network.neuron.model.plif.init_tau=1",
        "network.neuron.model.alif.beta=inf",
        "network.neuron.model.izhikevich.tau_w=0",
        "network.neuron.model.eif.delta_t=0",
        "network.neuron.surrogate.atan.alpha=0",
        "network.neuron.surrogate.qgate.alpha=-2",
        "network.neuron.surrogate.s2nn.beta=inf",
        "loss.tks.tau=0",
        "loss.tks.alpha=1.5",
        "loss.tet.lambda=-1",
        "loss.ce.label_smoothing=1.0",
        "loss.tks.selection.top_k=0",
        "optimizer.lr=0",
        "optimizer.lr=inf",
        "optimizer.weight_decay=-1",
        "optimizer.betas=[0.9, 1.0]",
        "optimizer.eps=0",
        "optimizer.momentum=1.0",
        "optimizer.nesterov=true",
        "schedule.warmup_epochs=-1",
        "schedule.warmup_epochs=301",
        "schedule.warmup_lr=nan",
        "schedule.warmup_lr=0.9",
        "schedule.min_lr=0.9",
        "schedule.step_factor=0",
        "training.epochs=0",
        "training.epochs=100000000000",
        "training.batch_size=0",
        "training.batch_size=1000000000",
        "training.accumulation=1000000000",
        "training.clip_norm=0",
        "training.ema_decay=1.0",
        "training.patience=0",
        "training.checkpoint_minutes=0",
        "training.watch_every=0",
        "evaluation.every_epochs=0",
        "evaluation.batch_size=0",
        "hardware.threads=20000",
        "data.events.recipe.slicing.time_bins.bins=0",
        "data.events.recipe.slicing.time_bins.overlap=1.0",
        "data.events.recipe.representation.bina_rep.bits=1",
        "data.events.recipe.resize.height=1000000000",
        "data.events.recipe.representation.time_surface.tau_us=0",
        "data.events.recipe.time_steps=0",
        "data.images.recipe.channels=2",
        "data.images.recipe.bounding_box.margin=-1",
        "data.images.mix.mixup.alpha=-1",
        "data.images.mix.cutmix.alpha=0",
        "data.events.mix.cutmix.alpha=0",
        "data.events.mix.eventmix.probability=2",
        "data.images.mix.label_smoothing=1.0",
    ];
    for change in cases {
        let said = parse("", &[change.to_string()]).expect_err(change);
        let key = change.split('=').next().unwrap();
        assert!(said.starts_with(&format!("`--set {change}`: ")), "{change}: {said}");
        assert!(said.contains(key) || said.contains("network.neuron"), "{change}: {said}");
        assert_eq!(rust_words(&said), Vec::<&str>::new(), "{change}: {said}");
    }
    let listed = [
        (
            "data.events.recipe.filters = [{ decimate = { n = 1 } }, { decimate = { n = 0 } }]",
            "filters[1].decimate.n",
        ),
        (
            "data.events.recipe.frame_augment = [{ rotate = { degrees = 181 } }]",
            "frame_augment[0].rotate.degrees",
        ),
        ("data.events.recipe.frame_augment = [\"event_drop\"]", "event_augment"),
        ("data.events.recipe.spatial = [{ pool = { factor = 0 } }]", "spatial[0].pool.factor"),
        ("data.events.mix = { mixup = {}, cutmix = { alpha = 0 } }", "`data.events.mix.cutmix.alpha`"),
        ("data.images.mix.mixup_alpha = 0.8", "did you mean `data.images.mix.mixup.alpha`?"),
        ("[data.images.mix]\ncutmix_alpha = 1.0", "did you mean `data.images.mix.cutmix.alpha`?"),
        ("data.events.mix = [\"mix_up\"]", "a table, with the keys `mixup`, `cutmix`, `eventmix`"),
        ("data.events.mix.mix_up = {}", "did you mean `mixup`?"),
        ("data.events.mix.cut_mix = {}", "did you mean `cutmix`?"),
        ("data.events.mix.event_mix = {}", "did you mean `eventmix`?"),
        ("data.images.recipe.augment = [{ cutout = { length = 0 } }]", "augment[0].cutout.length"),
        (
            "network.architecture = \"sequential\"\nnetwork.layers = [{ conv = { channels = 0 } }]",
            "layers[0].conv.channels",
        ),
    ];
    for (text, expected) in listed {
        let said = parse(text, &[]).expect_err(text);
        assert!(said.starts_with("a.toml:") && said.contains(expected), "{text}: {said}");
    }
}

#[test]
fn a_key_that_is_too_deep_is_refused() {
    let deep = format!("{}=1", vec!["a"; 20_000].join("."));
    assert!(parse("", std::slice::from_ref(&deep)).unwrap_err().contains("more than 32"));
    assert!(parse(&deep, &[]).unwrap_err().contains("more than 32"));
}

#[test]
fn defaults_fit_batches_of_any_size() {
    for batch in [1, 2, 1024] {
        parse("", &[format!("training.batch_size={batch}")]).unwrap();
    }
    parse("", &["training.epochs=1".to_string()]).unwrap();
    // A file for one architecture can be used with another.
    parse("[network]\narchitecture = \"small\"\nwidth = 8\n", &["network.architecture=vgg_snn".to_string()])
        .unwrap();
}

/// A network and a layer added by a program are valid names like the others: in files, in overrides, in
/// suggestions for typing errors.
#[test]
fn what_a_program_registers_is_known_to_the_configuration() {
    use tks_models::{Architecture, ArchitecturePlan, Builder, LayerConfig, LayerPlan, ModelError};

    #[derive(Debug, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Plan {
        depth: usize,
    }

    impl Default for Plan {
        fn default() -> Self {
            Plan { depth: 2 }
        }
    }

    impl ArchitecturePlan for Plan {
        fn build(&self, builder: &mut Builder<'_>) -> Result<(), ModelError> {
            builder.push_flatten();
            builder.push_classifier("head")
        }
    }

    impl LayerPlan for Plan {
        fn build(&self, builder: &mut Builder<'_>, _: &str) -> Result<(), ModelError> {
            builder.push_flatten();
            Ok(())
        }
    }

    Architecture::register_with::<Plan>("configured_network").unwrap();
    LayerConfig::register_with::<Plan>("configured_layer").unwrap();
    let said = parse("", &["network.architecture=configured_netwrk".into()]).unwrap_err();
    assert!(said.contains("did you mean `configured_network`"), "{said}");
    for text in [
        "network.architecture = \"configured_network\"\n",
        "[network.architecture.configured_network]\ndepth = 3\n",
        "network = { architecture = \"sequential\", layers = [\"configured_layer\"] }\n",
        "network = { architecture = \"sequential\", layers = [{ configured_layer = { depth = 1 } }] }\n",
    ] {
        let config = Config::parse(text, "a.toml".as_ref(), &[]).unwrap();
        let again = Config::parse(&config.to_toml().unwrap(), "a.toml".as_ref(), &[]).unwrap();
        assert_eq!(again, config, "{text}");
    }
    let said = parse("[network.architecture.configured_network]\ndeep = 3\n", &[]).unwrap_err();
    assert!(said.contains("configured_network") && said.contains("`depth`"), "{said}");
    let said = parse("network.layers = [\"configured_layr\"]\n", &[]).unwrap_err();
    assert!(said.contains("did you mean `configured_layer`"), "{said}");
}

#[test]
fn parameters_of_an_architecture_are_keys_like_the_others() {
    let spikformer = |changes: &[&str]| {
        let changes: Vec<String> = changes.iter().map(|change| change.to_string()).collect();
        Config::parse("", "a.toml".as_ref(), &changes).map(|config| config.network.architecture)
    };
    let word = spikformer(&["network.architecture=spikformer"]).unwrap();
    assert_eq!(word, spikformer(&["network.architecture.spikformer.depth=4"]).unwrap());
    assert_ne!(word, spikformer(&["network.architecture.spikformer.depth=2"]).unwrap());
    for (text, expected) in [
        ("[network.architecture.spikformer]\ndept = 3\n", "did you mean `depth`"),
        (
            "[network.architecture.spikformer]\ndepth = 0\n",
            "`network.architecture.spikformer.depth` 0 is out of range",
        ),
        ("[network.architecture.spikformer]\ndepth = \"deep\"\n", "a whole number"),
        ("[network.architecture.vgg_snn]\ndepth = 3\n", "unknown key `network.architecture.vgg_snn.depth`"),
        ("network.layers = [{ conv = { chanels = 3 } }]\n", "did you mean `channels`"),
        (
            "network = { architecture = \"sequential\", layers = [{ conv = { channels = 4, groups = 3 } }] }\n",
            "`network.layers[0].conv.groups`",
        ),
    ] {
        let said = parse(text, &[]).unwrap_err();
        assert!(said.starts_with("a.toml:") && said.contains(expected), "{text}: {said}");
    }
}
