"""The losses against their formulas, written out."""

from __future__ import annotations

import math

import pytest
import torch

from leader_core.student.losses import Distillation, ProfileAlignment, prediction_loss


def test_prediction_is_cross_entropy_over_all_classes() -> None:
    logits, truth = torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 0.0]])
    expected = (math.log(2) + math.log(1 + math.exp(2))) / 2
    assert prediction_loss(logits, truth).item() == pytest.approx(expected, rel=1e-6)


def test_distillation_is_the_squared_distance_over_the_teachers_width() -> None:
    torch.manual_seed(0)
    loss = Distillation(4, 7)
    features, hidden = torch.randn(3, 4), torch.randn(3, 7)
    projected = features @ loss.projector.weight.T + loss.projector.bias
    expected = ((projected - hidden) ** 2).sum(1).div(7).mean()
    torch.testing.assert_close(loss(features, hidden), expected)


def written_out(
    loss: ProfileAlignment, prescribed: torch.Tensor, profile: torch.Tensor, *, own: bool
) -> float:
    x, y = loss.of_medications(prescribed), loss.of_profile(profile)
    size = len(x)
    s = [
        [torch.cosine_similarity(x[i], y[j], dim=0).item() / loss.tau for j in range(size)]
        for i in range(size)
    ]
    total = 0.0
    for i in range(size):
        columns = sum(math.exp(s[k][i]) for k in range(size) if own or k != i)
        rows = sum(math.exp(s[i][k]) for k in range(size) if own or k != i)
        total += math.log(columns) + math.log(rows) - 2 * s[i][i]
    return total / size


@pytest.mark.parametrize(("form", "own"), [("official", False), ("infonce", True)])
def test_alignment_is_the_formula(form: str, own: bool) -> None:
    torch.manual_seed(0)
    loss = ProfileAlignment(6, form=form, tau=0.5)  # type: ignore[arg-type]
    prescribed, profile = torch.randn(5, 6), torch.randn(5, 6)
    assert loss(prescribed, profile).item() == pytest.approx(
        written_out(loss, prescribed, profile, own=own), rel=1e-5
    )


def test_alignment_of_one_case_is_nothing() -> None:
    loss = ProfileAlignment(6, form="official", tau=1.0)
    value = loss(torch.randn(1, 6), torch.randn(1, 6))
    assert value.item() == 0


def test_alignment_with_an_empty_prescription_is_finite() -> None:
    loss = ProfileAlignment(6, form="official", tau=1.0)
    x = torch.zeros(3, 6, requires_grad=True)
    value = loss(x, torch.randn(3, 6))
    value.backward()
    assert value.isfinite()
    assert x.grad is not None
    assert x.grad.isfinite().all()
