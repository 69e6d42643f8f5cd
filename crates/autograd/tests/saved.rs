//! Saved tensors are restored unchanged, in the same layout, and only spikes and their sums are packed.

use tch::{Device, Kind, Tensor};
use tks_autograd::SavedTensor;

/// A tensor `[3, 2, 5, 4]` of whole numbers from 0 to `most`.
fn counts(most: i64) -> Tensor {
    (Tensor::arange(120, (Kind::Int64, Device::Cpu)) * 7)
        .remainder(most + 1)
        .to_kind(Kind::Float)
        .view([3, 2, 5, 4])
}

#[test]
fn whole_numbers_come_back_in_every_layout_and_kind() {
    for (most, bytes) in [(1, 15), (200, 120)] {
        let x = counts(most);
        let layouts = [
            x.shallow_clone(),
            x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]),
            x.transpose(0, 1),
        ];
        for (x, kind) in layouts.iter().flat_map(|x| [(x, Kind::Float), (x, Kind::BFloat16)]) {
            let x = x.to_kind(kind);
            let saved = SavedTensor::new(&x).unwrap();
            assert_eq!(saved.bytes(), bytes, "{:?} {kind:?}", x.stride());
            assert!(saved.to_save(&x).is_none());
            let again = saved.restore(None, kind).unwrap();
            assert_eq!((again.kind(), again.stride()), (kind, x.stride()));
            assert_eq!(again, x);
            let share = x.ne(0).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
            assert!((saved.density().unwrap() - share).abs() < 1e-12);
        }
    }
}

#[test]
fn other_tensors_are_saved_as_they_are() {
    let x = counts(1);
    for other in [
        &x * 0.25,
        x.to_kind(Kind::Double),
        x.slice(3, 0, 3, 1),
        x.narrow(3, 0, 1).expand([3, 2, 5, 4], false),
    ] {
        let saved = SavedTensor::new(&other).unwrap();
        assert_eq!((saved.bytes(), saved.density()), (0, None));
        let given = saved.to_save(&other).unwrap();
        assert_eq!(saved.restore(Some(given), Kind::Float).unwrap(), other.to_kind(Kind::Float));
        assert!(saved.restore(None, Kind::Float).unwrap_err().to_string().contains("saved"));
    }
}
