//! What one more of something costs, by what different numbers of it cost.
//!
//! It never leaves a point out.

/// The slope of the line that is nearest to these points, of a number and what that many cost (least squares).
#[must_use]
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let mean =
        |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let along = points.iter().map(|point| (point.0 - x) * (point.1 - y));
    let across = points.iter().map(|point| (point.0 - x).powi(2));
    along.sum::<f64>() / across.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_of_the_line_between_the_points() {
        let straight = slope(&[(1.0, 7.0), (10.0, 25.0), (100.0, 205.0)]);
        assert!((straight - 2.0).abs() < 1e-9);
        let between = slope(&[(0.0, 0.0), (1.0, 0.0), (1.0, 2.0), (2.0, 2.0)]);
        assert!((between - 1.0).abs() < 1e-9);
        assert!(slope(&[(1.0, 3.0), (50.0, 3.0)]).abs() < 1e-9);
    }
}
