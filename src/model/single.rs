//! The loss of one row of logits with each neuron changed in turn.

use super::exponentials::{exp, ln};
use super::kernels::kernel;

/// Neurons at a time.
const LANES: usize = 16;

/// `ln(1 + x)` for x from 0 on, with the digits of a small x.
macro_rules! ln_1p {
    ($x:expr) => {{
        let x: f32 = $x;
        let small = x * (1.0 - x * (0.5 - x * (1.0 / 3.0)));
        if x < 1e-2 { small } else { ln(1.0 + x) }
    }};
}

kernel! {
    /// For each neuron the cross-entropy of `target` in nats, and 1 if the target is predicted, else 0, once the neuron's
    /// activation has fallen: a logit is (`base` - fall * direction) * inverse scale + `bias`.
    ///
    /// `row` is `base` and `bias`, `[d_vocab_out]` each; `directions` is `[d_vocab_out, neurons]`; `neurons` is fall and
    /// inverse scale, and `out` loss and rightness, `[neurons]` each: a multiple of 16, any further ones are left alone.
    pub fn change_each(
        row: [&[f32]; 2],
        directions: &[f32],
        neurons: [&[f32]; 2],
        target: usize,
        out: [&mut [f32]; 2],
    ) {
        let [base, bias] = row;
        let ([fall, inverse], [losses, rights]) = (neurons.map(|x| x.as_chunks::<LANES>().0), out);
        let (directions, _) = directions.as_chunks::<LANES>();
        let outs = losses.as_chunks_mut::<LANES>().0.iter_mut().zip(rights.as_chunks_mut::<LANES>().0);
        for (at, ((fall, inverse), (loss, right))) in fall.iter().zip(inverse).zip(outs).enumerate() {
            let of_class = |class: usize| {
                let direction = &directions[class * neurons[0].len() / LANES + at];
                let mut logits = [0.0; LANES];
                for lane in 0..LANES {
                    logits[lane] = (base[class] - fall[lane] * direction[lane]) * inverse[lane] + bias[class];
                }
                logits
            };
            let own = of_class(target);
            let (mut most, mut is_right) = (own, [1.0; LANES]);
            for class in 0..base.len() {
                let logits = of_class(class);
                for lane in 0..LANES {
                    // Of equal logits the first class is the prediction.
                    let is_first = class < target && logits[lane] >= own[lane];
                    let beats = is_first || logits[lane] > own[lane];
                    is_right[lane] = if beats { 0.0 } else { is_right[lane] };
                    most[lane] = if logits[lane] > most[lane] { logits[lane] } else { most[lane] };
                }
            }
            let mut others = [0.0; LANES];
            for class in (0..base.len()).filter(|class| *class != target) {
                let logits = of_class(class);
                for lane in 0..LANES {
                    others[lane] += exp(logits[lane] - most[lane]);
                }
            }
            for lane in 0..LANES {
                let behind = most[lane] - own[lane];
                let total = others[lane] + exp(-behind);
                let found = if behind == 0.0 { ln_1p!(others[lane]) } else { behind + ln(total) };
                let is_known = !(others[lane] + own[lane]).is_nan();
                loss[lane] = if is_known { found } else { f32::NAN };
                right[lane] = if is_known { is_right[lane] } else { 0.0 };
            }
        }
    }
}
