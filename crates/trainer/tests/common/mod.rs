//! A training so small that it takes a second: a few epochs on the shipped digits.

#![allow(dead_code, unreachable_pub, reason = "each test file uses some of it")]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tks_trainer::config::Config;
use tks_trainer::message::{Listener, Message};
use tks_trainer::run_folder::RunFolder;
use tks_trainer::stop::StopFlag;
use tks_trainer::trainer::{Outcome, Trainer};

/// 320 digits for training, 64 for testing, 10 batches per epoch.
pub const TINY: &str = r#"
name = "tiny"
time_steps = 3

[data]
name = "digits"
workers = 1
train = { part = "train", to = 320 }
test = { part = "test", to = 64 }

[data.images.recipe]
augment = [{ random_crop = { padding = 1 } }]

[network]
architecture = "small"
width = 8
dropout = 0.1

[optimizer]
lr = 0.01
lr_batch = 0

[schedule]
warmup_epochs = 0.0
pace = "batch"

[training]
epochs = 2
batch_size = 32
watch_every = 3
ema_decay = 0.9

[hardware]
device = "cpu"
threads = 1

[output]
report = false
"#;

/// The configuration with changes, with its runs in `folder`.
pub fn config(folder: &Path, changes: &[&str]) -> Config {
    let mut changes: Vec<String> = changes.iter().map(|change| (*change).to_string()).collect();
    changes.push(format!("output.folder={:?}", folder.display().to_string()));
    Config::parse(TINY, "tiny.toml".as_ref(), &changes).unwrap()
}

/// Trainings in one process share libtorch's generator: a test that trains holds this lock, so that tests run
/// one at a time.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Trains to the end.
pub fn train(folder: &Path, changes: &[&str]) -> (RunFolder, Outcome) {
    let _turn = turn();
    let config = config(folder, changes);
    let run = RunFolder::create(&config).unwrap();
    let listeners = files(&run);
    let outcome = Trainer::start(config, run.clone(), listeners).unwrap().fit(&StopFlag::default()).unwrap();
    (run, outcome)
}

/// The run's own files as a listener.
pub fn files(run: &RunFolder) -> Vec<Box<dyn Listener>> {
    vec![Box::new(tks_trainer::files::RunFiles::new(run.clone(), true))]
}

/// Calls a function for each message.
pub struct Hears<F>(pub F);

impl<F: FnMut(&Message) -> anyhow::Result<()>> Listener for Hears<F> {
    fn hear(&mut self, message: &Message) -> anyhow::Result<()> {
        (self.0)(message)
    }
}

/// A text file of a run.
pub fn text(run: &RunFolder, name: &str) -> String {
    std::fs::read_to_string(run.file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The columns of the table of epochs that depend only on the training, not on the clock or the process.
pub fn epochs(run: &RunFolder) -> Vec<tks_report::EpochRecord> {
    let timeless = |record: tks_report::EpochRecord| tks_report::EpochRecord {
        seconds: None,
        samples_per_second: None,
        peak_memory_mib: None,
        ..record
    };
    run.epochs().unwrap().into_iter().map(timeless).collect()
}

/// The program `tks`.
pub fn tks() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tks"));
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

/// Its standard error.
pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Writes a folder of images, `train` and `test` with `count` each of the classes `dark` and `bright`.
pub fn write_images(folder: &Path, count: u8) {
    for (class, level) in [("dark", 20), ("bright", 180)] {
        for part in ["train", "test"] {
            std::fs::create_dir_all(folder.join(part).join(class)).unwrap();
            for number in 0..count {
                let pixels: Vec<u8> =
                    (0..16 * 16 * 3u32).map(|i| level + (i * (u32::from(number) + 7) % 60) as u8).collect();
                let file = std::fs::File::create(folder.join(part).join(class).join(format!("{number}.png")));
                let mut encoder = png::Encoder::new(file.unwrap(), 16, 16);
                encoder.set_color(png::ColorType::Rgb);
                encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
            }
        }
    }
}

/// The changes that make the tiny training use such a folder.
pub fn images_config(folder: &Path) -> Vec<String> {
    vec![
        "data.name=folder".into(),
        format!("data.path={:?}", folder.display().to_string()),
        "data.train={ part = \"train\" }".into(),
        "data.test={ part = \"test\" }".into(),
        "data.images.recipe.resize={ height = 16, width = 16 }".into(),
        "data.workers=0".into(),
        "training.batch_size=8".into(),
    ]
}
