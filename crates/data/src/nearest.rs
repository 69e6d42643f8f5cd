//! Suggestions for mistyped names.

/// The name among `known` that `name` was probably meant to be, if one is close.
///
/// ```
/// use tks_data::nearest::nearest;
///
/// assert_eq!(nearest("cifar01", ["cifar10", "cifar100", "mnist"]), Some("cifar10"));
/// assert_eq!(nearest("speech", ["cifar10", "cifar100", "mnist"]), None);
/// ```
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let tolerated = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase()), candidate)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= tolerated)
        .map(|(_, candidate)| candidate)
}
