//! A search for an order that explains a history (after Wing and Gong, and Lowe): the second opinion on linearizability.
//!
//! It knows nothing of revisions, so it cannot share a mistake with the checkers that do. It is exponential at worst, and
//! gives up at a bound instead of taking for ever.

use std::collections::HashSet;
use std::hash::Hash;

/// What the operations act on, one after the other.
pub trait Model {
    /// What it holds.
    type State: Clone + Eq + Hash;

    /// What it holds after this operation; `None` when the operation cannot have returned what it did.
    fn step(&self, before: &Self::State) -> Option<Self::State>;
}

/// One operation: what it was, when it began, and when it returned.
#[derive(Clone, Debug)]
pub struct Call<M> {
    /// What it was, and what it returned.
    pub op: M,
    /// When it began.
    pub call: u64,
    /// When it returned. `None`: nobody knows whether it took effect, or when.
    pub ret: Option<u64>,
}

/// What the search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order that explains everything.
    Explained,
    /// There is none.
    Impossible,
    /// The search was given up.
    Unknown,
}

/// Searches for an order of `calls` that begins with `initial`, keeps real time, and explains every return. Looks at no
/// more than `bound` configurations.
#[must_use]
pub fn search<M: Model>(initial: M::State, mut calls: Vec<Call<M>>, bound: usize) -> Verdict {
    calls.sort_by_key(|call| call.call);
    let mut seen = HashSet::new();
    let mut open = vec![Configuration::new(initial, calls.len())];
    while let Some(here) = open.pop() {
        if here.is_complete(&calls) {
            return Verdict::Explained;
        }
        for index in here.candidates(&calls) {
            let Some(state) = calls[index].op.step(&here.state) else {
                continue;
            };
            let next = here.with(index, state);
            if seen.len() >= bound {
                return Verdict::Unknown;
            }
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    Verdict::Impossible
}

/// Which operations have taken effect, and what that led to.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Configuration<S> {
    done: Vec<u64>,
    state: S,
}

impl<S> Configuration<S> {
    fn new(state: S, calls: usize) -> Configuration<S> {
        Configuration {
            done: vec![0; calls.div_ceil(64)],
            state,
        }
    }

    fn is_done(&self, index: usize) -> bool {
        self.done[index / 64] >> (index % 64) & 1 == 1
    }

    fn with(&self, index: usize, state: S) -> Configuration<S> {
        let mut done = self.done.clone();
        done[index / 64] |= 1 << (index % 64);
        Configuration { done, state }
    }

    /// Everything that returned has taken effect.
    fn is_complete<M>(&self, calls: &[Call<M>]) -> bool {
        let mut returned = calls
            .iter()
            .enumerate()
            .filter(|(_, call)| call.ret.is_some());
        returned.all(|(index, _)| self.is_done(index))
    }

    /// What may take effect next: what began before anything that is still to take effect had returned.
    fn candidates<M>(&self, calls: &[Call<M>]) -> Vec<usize> {
        let waiting = || (0..calls.len()).filter(|index| !self.is_done(*index));
        let first_return = waiting().filter_map(|index| calls[index].ret).min();
        let first_return = first_return.unwrap_or(u64::MAX);
        // The stack takes the last first: the earliest, which is the likeliest.
        let mut candidates: Vec<usize> = waiting()
            .take_while(|index| calls[*index].call < first_return)
            .collect();
        candidates.reverse();
        candidates
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use todc_utils::linearizability::WGLChecker;
    use todc_utils::linearizability::history::{Action, History};
    use todc_utils::specifications::Specification;

    use super::*;

    /// A register of small numbers.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Register {
        Read(u8),
        Write(u8),
        Cas(u8, u8, bool),
    }

    impl Model for Register {
        type State = u8;

        fn step(&self, before: &u8) -> Option<u8> {
            match *self {
                Register::Read(value) => (value == *before).then_some(value),
                Register::Write(value) => Some(value),
                Register::Cas(old, new, true) => (old == *before).then_some(new),
                Register::Cas(old, _, false) => (old != *before).then_some(*before),
            }
        }
    }

    /// The same register, as `todc-utils` wants it.
    struct TheirRegister;

    impl Specification for TheirRegister {
        type State = u8;
        type Operation = Register;

        fn init() -> u8 {
            0
        }

        fn apply(operation: &Register, state: &u8) -> (bool, u8) {
            match operation.step(state) {
                Some(after) => (true, after),
                None => (false, *state),
            }
        }
    }

    /// A history of a register, as it happens; one in three returns is a lie.
    fn history(rng: &mut Rng, clients: usize, ops: usize) -> Vec<(usize, Call<Register>)> {
        let mut value = 0;
        let mut now = 0;
        let mut free = vec![0_u64; clients];
        let mut calls = Vec::new();
        let lies = rng.bool();
        for _ in 0..ops {
            let client = rng.usize(..clients);
            let effect = now.max(free[client] + 1) + rng.u64(1..4);
            let call = effect - rng.u64(..effect - free[client]).min(4);
            let ret = effect + 1 + rng.u64(..5);
            let (old, new) = (rng.u8(..4), rng.u8(..4));
            let op = match rng.u8(..3) {
                0 => Register::Read(if lies && rng.u8(..3) == 0 { old } else { value }),
                1 => Register::Write(new),
                _ => Register::Cas(old, new, old == value),
            };
            value = op.step(&value).unwrap_or(value);
            (now, free[client]) = (effect, ret);
            let ret = Some(ret);
            calls.push((client, Call { op, call, ret }));
        }
        calls
    }

    fn theirs(calls: &[(usize, Call<Register>)]) -> bool {
        let mut ends: Vec<(u64, bool, usize, Register)> = Vec::new();
        for (client, call) in calls {
            // At one moment calls come first: then they overlap, as here.
            ends.push((2 * call.call + 1, true, *client, call.op));
            ends.push((2 * call.ret.unwrap(), false, *client, call.op));
        }
        ends.sort_by_key(|end| (end.0, end.2));
        let actions = ends.into_iter().map(|(_, is_call, client, op)| {
            let action = if is_call {
                Action::Call(op)
            } else {
                Action::Response(op)
            };
            (client, action)
        });
        WGLChecker::<TheirRegister>::is_linearizable(History::from_actions(actions.collect()))
    }

    #[test]
    fn the_search_agrees_with_another_one_on_random_histories() {
        let mut verdicts = [0, 0];
        for seed in 0..400 {
            let mut rng = Rng::with_seed(seed);
            let clients = rng.usize(2..6);
            let ops = rng.usize(2..30);
            let calls = history(&mut rng, clients, ops);
            let ours = calls.iter().map(|(_, call)| Call {
                op: call.op,
                call: 2 * call.call + 1,
                ret: call.ret.map(|ret| 2 * ret),
            });
            let ours = search(0, ours.collect(), 1_000_000) == Verdict::Explained;
            assert_eq!(ours, theirs(&calls), "seed {seed}: {calls:?}");
            verdicts[usize::from(ours)] += 1;
        }
        assert!(
            verdicts.iter().all(|count| *count > 50),
            "both verdicts occur: {verdicts:?}"
        );
    }

    #[test]
    fn what_never_returned_may_have_happened_at_any_time_or_never() {
        let call = |op, call, ret| Call { op, call, ret };
        let write = call(Register::Write(1), 0, None);
        let read = |value, at| call(Register::Read(value), at, Some(at + 1));
        let verdict = |calls| search(0, calls, 1000);
        assert_eq!(
            verdict(vec![write.clone(), read(0, 1), read(1, 3)]),
            Verdict::Explained
        );
        assert_eq!(
            verdict(vec![write.clone(), read(0, 1), read(0, 3)]),
            Verdict::Explained
        );
        assert_eq!(
            verdict(vec![write, read(1, 1), read(0, 3)]),
            Verdict::Impossible
        );
        assert_eq!(verdict(vec![read(1, 1)]), Verdict::Impossible);
    }

    #[test]
    fn a_search_that_takes_too_long_says_so() {
        let writes = (0..8).map(|value| Call {
            op: Register::Write(value),
            call: 0,
            ret: Some(10),
        });
        assert_eq!(search(0, writes.collect(), 5), Verdict::Unknown);
    }
}
