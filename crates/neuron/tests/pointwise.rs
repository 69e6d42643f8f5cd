//! The plain spike and its gradient, over more values than a thread processes at a time.

use tks_neuron::Surrogate;
use tks_neuron::kernel::{GradSpikes, spike, spike_backward};

/// Enough for several chunks; every fourth value is exactly at the threshold.
fn distances() -> Vec<f32> {
    (0..100_000).map(|i| if i % 4 == 0 { 0.0 } else { (i * 7919 % 4001) as f32 / 1000.0 - 2.0 }).collect()
}

#[test]
fn a_spike_is_where_the_threshold_is_reached() {
    let mut u = distances();
    u[1] = f32::NAN;
    let mut spikes = vec![7.0; u.len()];
    for strict in [false, true] {
        spike(&u, strict, &mut spikes).unwrap();
        for (i, (&u, &fired)) in u.iter().zip(&spikes).enumerate() {
            let fires = if strict { u > 0.0 } else { u >= 0.0 };
            assert_eq!(fired, f32::from(fires), "{i}: {u}, strict: {strict}");
        }
    }
    assert!(spike(&u, true, &mut spikes[1..]).is_err());
}

#[test]
fn its_gradient_is_the_surrogate_times_the_incoming_one() {
    let u = distances();
    let rows: Vec<f32> = (0..u.len()).map(|i| (i % 17) as f32 - 8.0).collect();
    let mut grad = vec![7.0; u.len()];
    for &surrogate in Surrogate::all() {
        let check = |grad: &[f32], incoming: &dyn Fn(usize) -> f32| {
            for (i, (&u, &grad)) in u.iter().zip(grad).enumerate() {
                let expected = surrogate.derivative(u) * incoming(i);
                let error = (grad - expected).abs() / expected.abs().max(1.0);
                assert!(error < 1e-5, "{} at {u}: {grad} {expected}", surrogate.name());
            }
        };
        spike_backward(surrogate, &u, GradSpikes::Rows(&rows), &mut grad).unwrap();
        check(&grad, &|i| rows[i]);
        spike_backward(surrogate, &u, GradSpikes::Uniform(0.25), &mut grad).unwrap();
        check(&grad, &|_| 0.25);
    }
    let short = GradSpikes::Rows(&rows[1..]);
    assert!(spike_backward(Surrogate::Atan { alpha: 2.0 }, &u, short, &mut grad).is_err());
}
