"""Why a model scores a class as it does: attributions, and exact counterfactuals, in items that both models share.

What there is, each a function over an `Engine` and a `Case` that gives frozen values:

- `items`: `Item`, one name for a code of a visit, a visit, a profile field, or wording of the prompt.
- `changes`: `Change` and `apply(case, change)`; lists of changes: `removals`, `without_each_diagnosis`, `flips`,
  `interacting_drugs`.
- `score_changes(engine, case, model, changes)` scores a case under any changes, all classes at once, and gives
  `Outcomes`: `effects(code)` for one class, `change_effects()` for the whole recommendation. `leave_one_out` is such
  a list ready-made.
- `attribute(engine, case, model, code)`: integrated gradients of one class by Captum, over the same items for both
  models, as an `Attribution` with its baseline, steps and gap; for the teacher also by token and section.
- `smallest_flip(engine, case, model, code)`: the fewest removals (greedy search) that take a class over the cut-off.

- `code_influence(engine, model, sample)`: which codes move which classes on average over many cases, by leaving them out.

What removal guarantees: every changed case is rendered and encoded again, so a difference is exactly what the model
would say otherwise. What it does not: effects of several removals need not add up. What integrated gradients
guarantee: shares sum to the difference between the case's log-odds and those of a stated baseline, within a stated
tolerance. What they do not: that leaving one thing out would move the score by its share. Neither says what would
happen to a patient. Everything takes `each(done, whole)`, called between passes: raise in it to stop.

Nothing heavy is imported here; a model loads torch when it is first used.
"""

from leader_core.explain.attribution import Attribution, attribute
from leader_core.explain.changes import (
    Change,
    ChangeEffect,
    Item,
    Outcomes,
    Progress,
    apply,
    code_item,
    flips,
    interacting_drugs,
    leave_one_out,
    score_changes,
    without_each_diagnosis,
)
from leader_core.explain.fewest_removals import Flip, smallest_flip
from leader_core.explain.influence import CodeInfluence, InfluenceSample, code_influence, influence_sample
