//! The convolution of spikes compared with its definition.

use tks_golden::{noise, relative_error};
use tks_kernels::KernelError;
use tks_kernels::convolution::{ConvShape, density, forward, weight_gradient};

/// Output and weight gradient by the definition, in double precision.
fn by_definition(shape: &ConvShape, x: &[f32], weight: &[f32], grad_y: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let [out_height, out_width] = shape.output().unwrap();
    let (inputs, outputs) = (shape.in_channels, shape.out_channels);
    let [kernel_height, kernel_width] = shape.kernel;
    let mut y = vec![0.0f64; shape.images * out_height * out_width * outputs];
    let mut grad_weight = vec![0.0f64; weight.len()];
    for n in 0..shape.images {
        for oy in 0..out_height {
            for ox in 0..out_width {
                for o in 0..outputs {
                    let place = ((n * out_height + oy) * out_width + ox) * outputs + o;
                    for c in 0..inputs {
                        for ky in 0..kernel_height {
                            for kx in 0..kernel_width {
                                let iy = (oy * shape.stride[0] + ky).wrapping_sub(shape.padding[0]);
                                let ix = (ox * shape.stride[1] + kx).wrapping_sub(shape.padding[1]);
                                if iy >= shape.height || ix >= shape.width {
                                    continue;
                                }
                                let x = x[((n * shape.height + iy) * shape.width + ix) * inputs + c];
                                let w = ((o * inputs + c) * kernel_height + ky) * kernel_width + kx;
                                y[place] += f64::from(x) * f64::from(weight[w]);
                                grad_weight[w] += f64::from(x) * f64::from(grad_y[place]);
                            }
                        }
                    }
                }
            }
        }
    }
    let single = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
    (single(y), single(grad_weight))
}

fn spikes(seed: u64, count: usize, rate: f32) -> Vec<f32> {
    noise(seed, count).into_iter().map(|x| f32::from(0.5 * (x + 1.0) < rate)).collect()
}

/// Images, height and width, input and output channels, kernel, stride, padding.
type Sizes = (usize, [usize; 2], [usize; 2], [usize; 2], [usize; 2], [usize; 2]);

fn shape(
    (images, [height, width], [in_channels, out_channels], kernel, stride, padding): Sizes,
) -> ConvShape {
    ConvShape { images, height, width, in_channels, out_channels, kernel, stride, padding }
}

#[test]
fn spikes_are_convolved_as_defined() {
    let shapes = [
        (3, [6, 7], [5, 20], [3, 3], [1, 1], [1, 1]),
        (17, [5, 5], [3, 16], [3, 3], [1, 1], [0, 0]),
        (2, [9, 8], [4, 130], [3, 3], [2, 2], [1, 1]),
        (2, [8, 9], [70, 33], [1, 1], [2, 1], [0, 0]),
        (1, [7, 12], [2, 40], [5, 3], [1, 3], [2, 1]),
        (1, [4, 1], [1, 1], [2, 1], [1, 1], [1, 0]),
    ];
    for (seed, sizes) in shapes.into_iter().enumerate() {
        let shape = shape(sizes);
        let ConvShape { images, height, width, in_channels, out_channels, kernel, .. } = shape;
        let [out_height, out_width] = shape.output().unwrap();
        let seed = 10 * seed as u64;
        let count = images * height * width * in_channels;
        let binary = spikes(seed, count, 0.2);
        let graded: Vec<f32> = binary.iter().zip(noise(seed + 1, count)).map(|(s, x)| s * x).collect();
        let weight = noise(seed + 2, out_channels * in_channels * kernel[0] * kernel[1]);
        let grad_y = noise(seed + 3, images * out_height * out_width * out_channels);
        for x in [binary, graded, vec![0.0; count], vec![1.0; count]] {
            let (y, grad_weight) = by_definition(&shape, &x, &weight, &grad_y);
            let mut found = vec![f32::NAN; y.len()];
            forward(&shape, &x, &weight, &mut found).unwrap();
            assert!(relative_error(&found, &y) < 1e-6, "{shape:?}");
            let mut found = vec![f32::NAN; weight.len()];
            weight_gradient(&shape, &x, &grad_y, &mut found).unwrap();
            assert!(relative_error(&found, &grad_weight) < 2e-6, "{shape:?}");
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let shape = shape((37, [6, 6], [8, 24], [3, 3], [1, 1], [1, 1]));
    let x = spikes(1, 37 * 36 * 8, 0.3);
    let (weight, grad_y) = (noise(2, 24 * 8 * 9), noise(3, 37 * 36 * 24));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (mut y, mut grad) = (vec![0.0; grad_y.len()], vec![0.0; weight.len()]);
            forward(&shape, &x, &weight, &mut y).unwrap();
            weight_gradient(&shape, &x, &grad_y, &mut grad).unwrap();
            (y, grad)
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn not_a_number_is_not_passed_over() {
    let shape = shape((1, [1, 2], [1, 1], [1, 1], [1, 1], [0, 0]));
    let mut y = [0.0; 2];
    forward(&shape, &[f32::NAN, 2.0], &[3.0], &mut y).unwrap();
    assert!(y[0].is_nan() && y[1] == 6.0);
}

#[test]
fn density_counts_what_is_not_zero() {
    assert_eq!(density(&[]), 0.0);
    let x = spikes(4, 100_003, 0.25);
    let count = x.iter().filter(|&&x| x != 0.0).count();
    assert_eq!(density(&x), count as f64 / 100_003.0);
}

#[test]
fn sizes_that_do_not_fit_are_named() {
    let shape = shape((1, [2, 2], [1, 1], [3, 3], [1, 1], [0, 0]));
    assert!(matches!(shape.output(), Err(KernelError::OutOfRange { parameter: "height", .. })));
    let shape = ConvShape { kernel: [1, 1], ..shape };
    let problem = forward(&shape, &[0.0; 3], &[1.0], &mut [0.0; 4]).unwrap_err().to_string();
    assert!(problem.contains("`x` holds 3 values where 4 are needed"), "{problem}");
    assert!(ConvShape { stride: [0, 1], ..shape }.output().is_err());
    assert!(ConvShape { padding: [1, 0], ..shape }.output().is_err());
    let empty = ConvShape { images: 0, ..shape };
    weight_gradient(&empty, &[], &[], &mut [1.0]).unwrap();
}
