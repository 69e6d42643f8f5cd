//! Random draws for mixing two samples, images or recordings.

use rand::{Rng, RngExt};
use rand_distr::{Beta, Distribution};

/// The share of the first sample, drawn from Beta(alpha, alpha) with `alpha` above 0; one half if that
/// distribution does not exist.
pub fn draw_lambda(alpha: f64, rng: &mut impl Rng) -> f64 {
    // The distribution exists for every alpha above 0.
    Beta::new(alpha, alpha).map_or(0.5, |beta| beta.sample(rng))
}

/// A rectangle of pixels, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutBox {
    /// First and one after last column.
    pub x: [usize; 2],
    /// First and one after last row.
    pub y: [usize; 2],
}

impl CutBox {
    /// A rectangle with a share of `1 - lambda` of the area, centred on a random pixel and clipped at the
    /// border.
    pub fn draw(width: usize, height: usize, lambda: f64, rng: &mut impl Rng) -> Self {
        let share = (1.0 - lambda).max(0.0).sqrt();
        let mut side = |most: usize| {
            let half = (share * most as f64) as usize / 2;
            let middle = rng.random_range(0..most.max(1));
            [middle.saturating_sub(half), (middle + half).min(most)]
        };
        CutBox { x: side(width), y: side(height) }
    }

    /// Whether it contains a pixel.
    pub fn contains(&self, x: usize, y: usize) -> bool {
        (self.x[0]..self.x[1]).contains(&x) && (self.y[0]..self.y[1]).contains(&y)
    }

    /// Its number of pixels.
    pub fn area(&self) -> usize {
        (self.x[1] - self.x[0]) * (self.y[1] - self.y[0])
    }
}
