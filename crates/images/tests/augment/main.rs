//! Augmentation: each operation compared with Pillow, settings with timm and torchvision, and the
//! distribution of random choices.

mod mix;
mod ops;
mod settings;
mod steps;
mod support;
