//! AutoAugment's policies: pairs of operations, each with its probability and its magnitude. An image gets one
//! pair, the first operation before the second.

use super::level::{Binned, Leveled};

/// A pair of operations with levels of 0 to 10.
pub(super) type LeveledPair = [(Leveled, f64, f64); 2];

/// A pair of operations with bins of 0 to 9; those without a magnitude have bin 0.
pub(super) type BinnedPair = [(Binned, f64, usize); 2];

/// The paper's policy for CIFAR10 (table 7), also used for CIFAR100.
#[rustfmt::skip]
pub(super) const CIFAR10: [BinnedPair; 25] = {
    use Binned::*;
    [
        [(Invert, 0.1, 0), (Contrast, 0.2, 6)],
        [(Rotate, 0.7, 2), (TranslateX, 0.3, 9)],
        [(Sharpness, 0.8, 1), (Sharpness, 0.9, 3)],
        [(ShearY, 0.5, 8), (TranslateY, 0.7, 9)],
        [(AutoContrast, 0.5, 0), (Equalize, 0.9, 0)],
        [(ShearY, 0.2, 7), (Posterize, 0.3, 7)],
        [(Color, 0.4, 3), (Brightness, 0.6, 7)],
        [(Sharpness, 0.3, 9), (Brightness, 0.7, 9)],
        [(Equalize, 0.6, 0), (Equalize, 0.5, 0)],
        [(Contrast, 0.6, 7), (Sharpness, 0.6, 5)],
        [(Color, 0.7, 7), (TranslateX, 0.5, 8)],
        [(Equalize, 0.3, 0), (AutoContrast, 0.4, 0)],
        [(TranslateY, 0.4, 3), (Sharpness, 0.2, 6)],
        [(Brightness, 0.9, 6), (Color, 0.2, 8)],
        [(Solarize, 0.5, 2), (Invert, 0.0, 0)],
        [(Equalize, 0.2, 0), (AutoContrast, 0.6, 0)],
        [(Equalize, 0.2, 0), (Equalize, 0.6, 0)],
        [(Color, 0.9, 9), (Equalize, 0.6, 0)],
        [(AutoContrast, 0.8, 0), (Solarize, 0.2, 8)],
        [(Brightness, 0.1, 3), (Color, 0.7, 0)],
        [(Solarize, 0.4, 5), (AutoContrast, 0.9, 0)],
        [(TranslateY, 0.9, 9), (TranslateY, 0.7, 9)],
        [(AutoContrast, 0.9, 0), (Solarize, 0.8, 3)],
        [(Equalize, 0.8, 0), (Invert, 0.1, 0)],
        [(TranslateY, 0.7, 9), (AutoContrast, 0.9, 0)],
    ]
};

/// The paper's policy for SVHN (table 8).
#[rustfmt::skip]
pub(super) const SVHN: [BinnedPair; 25] = {
    use Binned::*;
    [
        [(ShearX, 0.9, 4), (Invert, 0.2, 0)],
        [(ShearY, 0.9, 8), (Invert, 0.7, 0)],
        [(Equalize, 0.6, 0), (Solarize, 0.6, 6)],
        [(Invert, 0.9, 0), (Equalize, 0.6, 0)],
        [(Equalize, 0.6, 0), (Rotate, 0.9, 3)],
        [(ShearX, 0.9, 4), (AutoContrast, 0.8, 0)],
        [(ShearY, 0.9, 8), (Invert, 0.4, 0)],
        [(ShearY, 0.9, 5), (Solarize, 0.2, 6)],
        [(Invert, 0.9, 0), (AutoContrast, 0.8, 0)],
        [(Equalize, 0.6, 0), (Rotate, 0.9, 3)],
        [(ShearX, 0.9, 4), (Solarize, 0.3, 3)],
        [(ShearY, 0.8, 8), (Invert, 0.7, 0)],
        [(Equalize, 0.9, 0), (TranslateY, 0.6, 6)],
        [(Invert, 0.9, 0), (Equalize, 0.6, 0)],
        [(Contrast, 0.3, 3), (Rotate, 0.8, 4)],
        [(Invert, 0.8, 0), (TranslateY, 0.0, 2)],
        [(ShearY, 0.7, 6), (Solarize, 0.4, 8)],
        [(Invert, 0.6, 0), (Rotate, 0.8, 4)],
        [(ShearY, 0.3, 7), (TranslateX, 0.9, 3)],
        [(ShearX, 0.1, 6), (Invert, 0.6, 0)],
        [(Solarize, 0.7, 2), (TranslateY, 0.6, 7)],
        [(ShearY, 0.8, 4), (Invert, 0.8, 0)],
        [(ShearX, 0.7, 9), (TranslateY, 0.8, 3)],
        [(ShearY, 0.8, 5), (AutoContrast, 0.7, 0)],
        [(ShearX, 0.7, 2), (Invert, 0.1, 0)],
    ]
};

/// The paper's policy for ImageNet (table 9).
#[rustfmt::skip]
pub(super) const IMAGENET: [BinnedPair; 25] = {
    use Binned::*;
    [
        [(Posterize, 0.4, 8), (Rotate, 0.6, 9)],
        [(Solarize, 0.6, 5), (AutoContrast, 0.6, 0)],
        [(Equalize, 0.8, 0), (Equalize, 0.6, 0)],
        [(Posterize, 0.6, 7), (Posterize, 0.6, 6)],
        [(Equalize, 0.4, 0), (Solarize, 0.2, 4)],
        [(Equalize, 0.4, 0), (Rotate, 0.8, 8)],
        [(Solarize, 0.6, 3), (Equalize, 0.6, 0)],
        [(Posterize, 0.8, 5), (Equalize, 1.0, 0)],
        [(Rotate, 0.2, 3), (Solarize, 0.6, 8)],
        [(Equalize, 0.6, 0), (Posterize, 0.4, 6)],
        [(Rotate, 0.8, 8), (Color, 0.4, 0)],
        [(Rotate, 0.4, 9), (Equalize, 0.6, 0)],
        [(Equalize, 0.0, 0), (Equalize, 0.8, 0)],
        [(Invert, 0.6, 0), (Equalize, 1.0, 0)],
        [(Color, 0.6, 4), (Contrast, 1.0, 8)],
        [(Rotate, 0.8, 8), (Color, 1.0, 2)],
        [(Color, 0.8, 8), (Solarize, 0.8, 7)],
        [(Sharpness, 0.4, 7), (Invert, 0.6, 0)],
        [(ShearX, 0.6, 5), (Equalize, 1.0, 0)],
        [(Color, 0.4, 0), (Equalize, 0.6, 0)],
        [(Equalize, 0.4, 0), (Solarize, 0.2, 4)],
        [(Solarize, 0.6, 5), (AutoContrast, 0.6, 0)],
        [(Invert, 0.6, 0), (Equalize, 1.0, 0)],
        [(Color, 0.6, 4), (Contrast, 1.0, 8)],
        [(Equalize, 0.8, 0), (Equalize, 0.6, 0)],
    ]
};

/// The paper's policy for ImageNet with timm's levels.
#[rustfmt::skip]
pub(super) const ORIGINAL: [LeveledPair; 25] = {
    use Leveled::*;
    [
        [(PosterizeOriginal, 0.4, 8.0), (Rotate, 0.6, 9.0)],
        [(Solarize, 0.6, 5.0), (AutoContrast, 0.6, 5.0)],
        [(Equalize, 0.8, 8.0), (Equalize, 0.6, 3.0)],
        [(PosterizeOriginal, 0.6, 7.0), (PosterizeOriginal, 0.6, 6.0)],
        [(Equalize, 0.4, 7.0), (Solarize, 0.2, 4.0)],
        [(Equalize, 0.4, 4.0), (Rotate, 0.8, 8.0)],
        [(Solarize, 0.6, 3.0), (Equalize, 0.6, 7.0)],
        [(PosterizeOriginal, 0.8, 5.0), (Equalize, 1.0, 2.0)],
        [(Rotate, 0.2, 3.0), (Solarize, 0.6, 8.0)],
        [(Equalize, 0.6, 8.0), (PosterizeOriginal, 0.4, 6.0)],
        [(Rotate, 0.8, 8.0), (Color, 0.4, 0.0)],
        [(Rotate, 0.4, 9.0), (Equalize, 0.6, 2.0)],
        [(Equalize, 0.0, 7.0), (Equalize, 0.8, 8.0)],
        [(Invert, 0.6, 4.0), (Equalize, 1.0, 8.0)],
        [(Color, 0.6, 4.0), (Contrast, 1.0, 8.0)],
        [(Rotate, 0.8, 8.0), (Color, 1.0, 2.0)],
        [(Color, 0.8, 8.0), (Solarize, 0.8, 7.0)],
        [(Sharpness, 0.4, 7.0), (Invert, 0.6, 8.0)],
        [(ShearX, 0.6, 5.0), (Equalize, 1.0, 9.0)],
        [(Color, 0.4, 0.0), (Equalize, 0.6, 3.0)],
        [(Equalize, 0.4, 7.0), (Solarize, 0.2, 4.0)],
        [(Solarize, 0.6, 5.0), (AutoContrast, 0.6, 5.0)],
        [(Invert, 0.6, 4.0), (Equalize, 1.0, 8.0)],
        [(Color, 0.6, 4.0), (Contrast, 1.0, 8.0)],
        [(Equalize, 0.8, 8.0), (Equalize, 0.6, 3.0)],
    ]
};

/// EfficientNet's policy for ImageNet, as in TensorFlow's TPU models.
#[rustfmt::skip]
pub(super) const V0: [LeveledPair; 25] = {
    use Leveled::*;
    [
        [(Equalize, 0.8, 1.0), (ShearY, 0.8, 4.0)],
        [(Color, 0.4, 9.0), (Equalize, 0.6, 3.0)],
        [(Color, 0.4, 1.0), (Rotate, 0.6, 8.0)],
        [(Solarize, 0.8, 3.0), (Equalize, 0.4, 7.0)],
        [(Solarize, 0.4, 2.0), (Solarize, 0.6, 2.0)],
        [(Color, 0.2, 0.0), (Equalize, 0.8, 8.0)],
        [(Equalize, 0.4, 8.0), (SolarizeAdd, 0.8, 3.0)],
        [(ShearX, 0.2, 9.0), (Rotate, 0.6, 8.0)],
        [(Color, 0.6, 1.0), (Equalize, 1.0, 2.0)],
        [(Invert, 0.4, 9.0), (Rotate, 0.6, 0.0)],
        [(Equalize, 1.0, 9.0), (ShearY, 0.6, 3.0)],
        [(Color, 0.4, 7.0), (Equalize, 0.6, 0.0)],
        [(Posterize, 0.4, 6.0), (AutoContrast, 0.4, 7.0)],
        [(Solarize, 0.6, 8.0), (Color, 0.6, 9.0)],
        [(Solarize, 0.2, 4.0), (Rotate, 0.8, 9.0)],
        [(Rotate, 1.0, 7.0), (TranslateYRel, 0.8, 9.0)],
        [(ShearX, 0.0, 0.0), (Solarize, 0.8, 4.0)],
        [(ShearY, 0.8, 0.0), (Color, 0.6, 4.0)],
        [(Color, 1.0, 0.0), (Rotate, 0.6, 2.0)],
        [(Equalize, 0.8, 4.0), (Equalize, 0.0, 8.0)],
        [(Equalize, 1.0, 4.0), (AutoContrast, 0.6, 2.0)],
        [(ShearY, 0.4, 7.0), (SolarizeAdd, 0.6, 7.0)],
        [(Posterize, 0.8, 2.0), (Solarize, 0.6, 10.0)],
        [(Solarize, 0.6, 8.0), (Equalize, 0.6, 1.0)],
        [(Color, 0.8, 6.0), (Rotate, 0.4, 5.0)],
    ]
};
