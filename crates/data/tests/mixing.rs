//! The rectangle that is copied from one image or recording to another.

use tks_data::mixing::CutBox;
use tks_data::sample_rng;

#[test]
fn a_box_has_its_share_of_the_area_and_is_cut_off_at_the_border() {
    let (width, height) = (40, 20);
    for (lambda, whole) in [(1.0, [0, 0]), (0.75, [20, 10]), (0.0, [40, 20])] {
        let mut rng = sample_rng(7, 0, 0);
        let mut largest = [0, 0];
        for _ in 0..500 {
            let cut = CutBox::draw(width, height, lambda, &mut rng);
            let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
            assert_eq!(cut.area(), pixels.filter(|&(x, y)| cut.contains(x, y)).count());
            let sides = [cut.x, cut.y].map(|[first, end]| end - first);
            largest = [0, 1].map(|axis| sides[axis].max(largest[axis]));
        }
        assert_eq!(largest, whole, "lambda {lambda}");
    }
}
