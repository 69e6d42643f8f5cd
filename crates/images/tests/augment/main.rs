//! Augmentation: each operation against Pillow, settings against timm and torchvision, and what chance does.

mod mix;
mod ops;
mod settings;
mod steps;
mod support;
