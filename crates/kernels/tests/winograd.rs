//! Winograd transforms compared with the convolution and its gradients by their definitions.

use tks_golden::{noise, relative_error};
use tks_kernels::KernelError;
use tks_kernels::winograd::{
    Filter, TILE, WinogradShape, filter_gradient, filter_tiles, gradient_tiles, input_tiles, output_pixels,
};

/// For each output pixel, output channel, input channel and tap that meets the input: indices into `y`, `x`
/// and the weight.
fn each_product(
    shape: &WinogradShape,
    [images, inputs, outputs]: [usize; 3],
    mut visit: impl FnMut(usize, usize, usize),
) {
    let [out_height, out_width] = shape.output().unwrap();
    for pixel in 0..images * out_height * out_width {
        let (image, oy, ox) =
            (pixel / (out_height * out_width), pixel / out_width % out_height, pixel % out_width);
        for tap in 0..9 {
            let iy = (oy + tap / 3).wrapping_sub(shape.padding[0]);
            let ix = (ox + tap % 3).wrapping_sub(shape.padding[1]);
            if iy >= shape.height || ix >= shape.width {
                continue;
            }
            for (o, c) in (0..outputs).flat_map(|o| (0..inputs).map(move |c| (o, c))) {
                let x = ((image * shape.height + iy) * shape.width + ix) * inputs + c;
                visit(pixel * outputs + o, x, (o * inputs + c) * 9 + tap);
            }
        }
    }
}

/// The product of `[tiles, 36, from]` and `[from, 36, to]`: `[36, tiles, to]`.
fn products(x: &[f32], filters: &[f32], from: usize, to: usize) -> Vec<f32> {
    let tiles = x.len() / (TILE * from);
    let mut out = vec![0.0; TILE * tiles * to];
    for (place, out) in out.iter_mut().enumerate() {
        let (k, tile, o) = (place / (tiles * to), place / to % tiles, place % to);
        let sum: f64 = (0..from)
            .map(|c| f64::from(x[(tile * TILE + k) * from + c]) * f64::from(filters[(c * TILE + k) * to + o]))
            .sum();
        *out = sum as f32;
    }
    out
}

/// The convolution by tiles; `x` has `from` channels.
fn convolve(
    shape: &WinogradShape,
    filter: Filter,
    [from, to]: [usize; 2],
    images: usize,
    x: &[f32],
    weight: &[f32],
) -> Vec<f32> {
    let [rows, columns] = shape.tiles().unwrap();
    let [height, width] = shape.output().unwrap();
    let mut of_x = vec![f32::NAN; images * rows * columns * TILE * from];
    input_tiles(shape, from, x, &mut of_x).unwrap();
    let mut filters = vec![f32::NAN; TILE * from * to];
    let [inputs, outputs] = if filter == Filter::Forward { [from, to] } else { [to, from] };
    filter_tiles(filter, inputs, outputs, weight, &mut filters).unwrap();
    let mut y = vec![f32::NAN; images * height * width * to];
    output_pixels(shape, to, &products(&of_x, &filters, from, to), &mut y).unwrap();
    y
}

#[test]
fn convolution_and_gradients_are_as_defined() {
    for (seed, (images, [height, width], [inputs, outputs], padding)) in [
        (2, [8, 8], [16, 32], [1, 1]),
        (3, [6, 9], [32, 16], [1, 1]),
        (1, [7, 3], [16, 16], [0, 0]),
        (2, [1, 5], [16, 16], [1, 2]),
        (1, [4, 6], [16, 48], [2, 0]),
    ]
    .into_iter()
    .enumerate()
    {
        let shape = WinogradShape { height, width, padding };
        let [out_height, out_width] = shape.output().unwrap();
        let seed = 10 * seed as u64;
        let x = noise(seed, images * height * width * inputs);
        let weight = noise(seed + 1, outputs * inputs * 9);
        let grad_y = noise(seed + 2, images * out_height * out_width * outputs);
        let (mut y, mut grad_x, mut grad_weight) =
            (vec![0.0f64; grad_y.len()], vec![0.0f64; x.len()], vec![0.0f64; weight.len()]);
        each_product(&shape, [images, inputs, outputs], |of_y, of_x, of_weight| {
            let (x, weight, grad) =
                (f64::from(x[of_x]), f64::from(weight[of_weight]), f64::from(grad_y[of_y]));
            y[of_y] += x * weight;
            grad_x[of_x] += grad * weight;
            grad_weight[of_weight] += grad * x;
        });
        let [y, grad_x, grad_weight] = [y, grad_x, grad_weight]
            .map(|values| values.into_iter().map(|value| value as f32).collect::<Vec<_>>());

        let found = convolve(&shape, Filter::Forward, [inputs, outputs], images, &x, &weight);
        assert!(relative_error(&found, &y) < 1e-5, "{shape:?}: {}", relative_error(&found, &y));
        let transposed = WinogradShape {
            height: out_height,
            width: out_width,
            padding: padding.map(|padding| 2 - padding),
        };
        let found = convolve(&transposed, Filter::InputGradient, [outputs, inputs], images, &grad_y, &weight);
        assert!(relative_error(&found, &grad_x) < 1e-5, "{shape:?}: {}", relative_error(&found, &grad_x));

        let [rows, columns] = shape.tiles().unwrap();
        let tiles = images * rows * columns;
        let (mut of_x, mut of_grad) =
            (vec![f32::NAN; tiles * TILE * inputs], vec![f32::NAN; tiles * TILE * outputs]);
        input_tiles(&shape, inputs, &x, &mut of_x).unwrap();
        gradient_tiles(&shape, outputs, &grad_y, &mut of_grad).unwrap();
        let mut sums = vec![0.0f64; TILE * inputs * outputs];
        for (place, sum) in sums.iter_mut().enumerate() {
            let (k, c, o) = (place / (inputs * outputs), place / outputs % inputs, place % outputs);
            for tile in 0..tiles {
                let (x, grad) =
                    (of_x[(tile * TILE + k) * inputs + c], of_grad[(tile * TILE + k) * outputs + o]);
                *sum += f64::from(x) * f64::from(grad);
            }
        }
        let sums: Vec<f32> = sums.into_iter().map(|sum| sum as f32).collect();
        let mut found = vec![f32::NAN; weight.len()];
        filter_gradient(inputs, outputs, &sums, &mut found).unwrap();
        let off = relative_error(&found, &grad_weight);
        assert!(off < 1e-5, "{shape:?}: {off}");
    }
}

#[test]
fn sizes_that_do_not_fit_are_named() {
    let shape = WinogradShape { height: 4, width: 4, padding: [1, 1] };
    assert_eq!(shape.tiles().unwrap(), [1, 1]);
    let problem = input_tiles(&shape, 8, &[0.0; 128], &mut [0.0; 288]).unwrap_err().to_string();
    assert!(problem.contains("multiple of 16"), "{problem}");
    let problem = input_tiles(&shape, 16, &[0.0; 256], &mut [0.0; 16]).unwrap_err();
    assert!(matches!(problem, KernelError::Length { buffer: "tiles", actual: 16, expected: 576, .. }));
    assert!(input_tiles(&shape, 16, &[0.0; 255], &mut [0.0; 576]).is_err());
    assert!(output_pixels(&shape, 16, &[0.0; 576], &mut [0.0; 17]).is_err());
    let problem = filter_tiles(Filter::Forward, 16, 16, &[0.0; 9], &mut [0.0; 36]).unwrap_err().to_string();
    assert!(problem.contains("weight"), "{problem}");
    for wrong in [
        WinogradShape { padding: [3, 1], ..shape },
        WinogradShape { height: 0, ..shape },
        WinogradShape { width: 2, padding: [1, 0], ..shape },
    ] {
        assert!(matches!(wrong.output(), Err(KernelError::OutOfRange { .. })), "{wrong:?}");
    }
    // No images: nothing to do.
    input_tiles(&shape, 16, &[], &mut []).unwrap();
    output_pixels(&shape, 16, &[], &mut []).unwrap();
}
