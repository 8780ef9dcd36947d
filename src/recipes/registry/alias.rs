//! Draws by weight in constant time: the alias method of Walker and Vose.
//!
//! Only computes: where the chance comes from is its caller's to say.

/// A column a member: its own share of the column, and who has the rest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alias {
    columns: Vec<(u32, u32)>,
}

impl Alias {
    /// Of these weights, of which some may be zero.
    pub(crate) fn new(weights: impl ExactSizeIterator<Item = u32>) -> Alias {
        let weights: Vec<f64> = weights.map(f64::from).collect();
        let total: f64 = weights.iter().sum();
        let scale = weights.len() as f64 / total;
        let mut shares: Vec<f64> = weights.iter().map(|weight| weight * scale).collect();
        let (mut small, mut large) = (Vec::new(), Vec::new());
        for (index, share) in shares.iter().enumerate() {
            if *share < 1.0 {
                small.push(index)
            } else {
                large.push(index)
            }
        }
        let full = |index: usize| (u32::MAX, index as u32);
        let mut columns: Vec<(u32, u32)> = (0..shares.len()).map(full).collect();
        while let (Some(poor), Some(rich)) = (small.pop(), large.pop()) {
            columns[poor] = ((shares[poor] * f64::from(u32::MAX)) as u32, rich as u32);
            shares[rich] -= 1.0 - shares[poor];
            if shares[rich] < 1.0 {
                small.push(rich)
            } else {
                large.push(rich)
            }
        }
        Alias { columns }
    }

    /// Whom a random number draws.
    pub(crate) fn draw(&self, random: u64) -> usize {
        let (high, low) = (random >> 32, random as u32);
        let index = ((high * self.columns.len() as u64) >> 32) as usize;
        let Some((own, other)) = self.columns.get(index) else {
            return 0;
        };
        if low <= *own { index } else { *other as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_drawn_by_their_weights() {
        let weights = [1, 100, 0, 50, 49, 100, 100];
        let alias = Alias::new(weights.into_iter());
        let (mut rng, mut drawn) = (fastrand::Rng::with_seed(7), [0_u32; 7]);
        for _ in 0..400_000 {
            drawn[alias.draw(rng.u64(..))] += 1;
        }
        for (weight, drawn) in weights.iter().zip(drawn) {
            let expected = weight * 1000;
            assert!(
                drawn.abs_diff(expected) <= expected / 20 + 50,
                "{drawn} of {expected}"
            );
        }
        assert_eq!(Alias::new([7].into_iter()).draw(u64::MAX), 0);
    }
}
