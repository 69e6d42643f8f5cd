//! Augmentation: each operation against Pillow, settings against timm and torchvision, and what chance does.

mod ops;
mod support;
