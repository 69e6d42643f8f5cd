//! Records of one kind, one after another.

use super::layout::Layout;

/// Records of `W` bytes, of which each is one event or none, and what is to be known of those before.
pub(in crate::formats) trait Records<const W: usize>: Copy + Send + Sync {
    /// What lies where.
    const LAYOUT: Layout;

    /// What is added to the times of the next events; `None` where they have no time yet and are passed over.
    fn earlier(&self) -> Option<i64>;

    /// Takes note of a record that is no event.
    #[inline(always)]
    fn pass(&mut self, _: &[u8; W]) {}

    /// What is known behind these records, but for what [`Records::delay`] tells, if they tell it.
    fn behind(self, _: &[[u8; W]]) -> Self {
        self
    }

    /// By how much the times of all that follows are later than without the records before.
    fn delay(&self) -> i64 {
        0
    }

    /// Whether a record was passed over that is to be told.
    fn is_odd(&self) -> bool {
        false
    }
}
